/**
 * Order-critical code of the reclaimer, to be subclassed.
 *
 * @module
 */

export type { BatchComponents } from './batch.js';
export { Batch } from './batch.js';
