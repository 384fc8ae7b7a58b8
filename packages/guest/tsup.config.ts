import { preset } from '../../config/tsup.js';

export default preset();
