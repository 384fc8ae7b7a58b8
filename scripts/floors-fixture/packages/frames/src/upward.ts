export { fine } from '../../numa/src/index.js';
