export { fine } from '../../epckit/src/index.js';
