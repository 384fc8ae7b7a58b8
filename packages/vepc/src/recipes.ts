/**
 * Order-critical code of the virtual EPC driver, to be subclassed.
 *
 * @module
 */
export { InsertingFaultHandler, VepcFaultHandler } from './fault.js';
export { GuestLeaves } from './guest-leaves.js';
export { KvmLeaves } from './kvm-leaves.js';
export { VepcPages } from './pages.js';
export type { VepcReleaserParts } from './release.js';
export { VepcReleaser } from './release.js';
export { LockingRemoveAll, RemoveAll } from './remove-all.js';
export { ZombieSecs } from './zombies.js';
