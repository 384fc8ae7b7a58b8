export { fine } from '../../frames/src/upward.js';
