export { fine } from '../../guest/src/upward.js';
