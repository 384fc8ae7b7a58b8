/**
 * Order-critical code of the native driver, to be subclassed.
 *
 * @module
 */
export { AddPages, CountingAddPages } from './add-pages.js';
export type { AugmenterParts } from './augment.js';
export { Augmenter, RecheckingAugmenter } from './augment.js';
export { Create, GrantingCreate } from './create.js';
export { DebugAccess } from './debug-access.js';
export type { DynamicIoctlParts } from './dynamic-ioctl.js';
export { DynamicIoctl } from './dynamic-ioctl.js';
export { FaultHandler, RecheckingFaultHandler } from './fault.js';
export type { KillerParts } from './kill.js';
export { DestroyingKiller, Killer } from './kill.js';
export { Loader } from './load.js';
export { BalancedMapper, Mapper } from './map.js';
export { FinishingModifyTypes, HoldingModifyTypes, ModifyTypes } from './modify-types.js';
export type { NativeOwnerParts } from './native-owner.js';
export { CarefulOwner, NativeOwner } from './native-owner.js';
export { EnclavePages } from './pages.js';
export { ReclaimableSecsPages, SecsReclaimingOwner } from './reclaimable-secs.js';
export { Releaser } from './release.js';
export { HoldingRemovePages, RemovePages } from './remove-pages.js';
export { RestrictPermissions } from './restrict.js';
export { TrackingCycle } from './tracking-cycle.js';
