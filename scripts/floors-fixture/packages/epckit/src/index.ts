export { fine } from '../../interface/src/index.js';
