/**
 * The EPC reclaimer: lists of reclaimable pages, the batch, watermarks and the daemon. It knows owners only
 * through `PageOwner`.
 *
 * @module
 */

export type { ReclaimListsComponents } from './lists.js';
export { createReclaimLists } from './lists.js';
export type { NodeReclaimListsComponents } from './node-reclaim-lists.js';
export { createNodeReclaimLists } from './node-reclaim-lists.js';
export { createOwnerRegistry } from './owner-registry.js';
export { secondChance } from './policy/second-chance.js';
export type { DaemonOptions, ReclaimerComponents, ReclaimerOptions } from './reclaimer.js';
export { createReclaimer, Ksgxd } from './reclaimer.js';
export type { WatermarkOptions } from './wake-policy.js';
export { watermarks } from './wake-policy.js';
