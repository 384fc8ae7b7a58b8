/**
 * EPC paging: version arrays, backing layout, the EWB, ETRACK and IPI ladder, and ELDU.
 *
 * @module
 */
export { createEtrack } from './etrack.js';
export type { LoadBack, LoadBackComponents } from './load-back.js';
export { createLoadBack } from './load-back.js';
export type { BackingStoreComponents, ShmemBacking } from './shmem-backing.js';
export { createBackingStore } from './shmem-backing.js';
export type { BackingStoreOptions } from './shmem-file.js';
export type { VersionArrayPage } from './version-arrays.js';
export { createVersionSlots } from './version-arrays.js';
export type { WriteBack, WriteBackComponents } from './write-back.js';
export { createWriteBack } from './write-back.js';
