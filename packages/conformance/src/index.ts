/**
 * Test kits for the contracts of epckit, for anyone who writes a policy or a package.
 *
 * @module
 */
export type { BackingStoreSubject } from './backing-store.js';
export { backingStoreCases } from './backing-store.js';
export type { ConformanceCase } from './case.js';
export type { ChargeControllerSubject } from './charge-controller.js';
export { chargeControllerCases } from './charge-controller.js';
export { evictionPolicyCases } from './eviction-policy.js';
export type { SectionShape } from './frame-table.js';
export { frameTableCases } from './frame-table.js';
export type { LockSubject } from './lock-subject.js';
export { mutexCases } from './mutex.js';
export type { PagePoolSubject } from './page-pool.js';
export { pagePoolCases } from './page-pool.js';
export type { ReclaimGroups, ReclaimListsSubject } from './reclaim-lists.js';
export { reclaimListsCases } from './reclaim-lists.js';
export { rwLockCases } from './rw-lock.js';
export { sgxHardwareCases } from './sgx-hardware.js';
export type { SgxHardwareSize, SgxHardwareSubject } from './sgx-hardware-subject.js';
export { spinLockCases } from './spin-lock.js';
export { versionSlotsCases } from './version-slots.js';
export { waitQueueCases } from './wait-queue.js';
