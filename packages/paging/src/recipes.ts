/**
 * Recipes of `@epckit/paging`: the order-critical steps that kernel generations do differently.
 *
 * @module
 */
export { LoadBack, LoadBackKeeping } from './load-back.js';
export { ShmemBacking } from './shmem-backing.js';
export { VersionArrays } from './version-arrays.js';
export { WriteBack } from './write-back.js';
