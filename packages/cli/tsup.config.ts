import { preset } from '../../config/tsup.js';

export default preset(['index', 'bin', 'compare/run-worker']);
