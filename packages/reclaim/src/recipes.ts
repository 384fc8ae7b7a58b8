/**
 * Order-critical code of the reclaimer, to be subclassed.
 *
 * @module
 */

export type { BatchComponents } from './batch.js';
export { Batch } from './batch.js';
export type { ReclaimListsComponents } from './lists.js';
export { GlobalLists, PoisonAwareLists } from './lists.js';
export type { DaemonOptions, ReclaimerComponents, ReclaimerOptions } from './reclaimer.js';
export { CountingKsgxd, Ksgxd } from './reclaimer.js';
