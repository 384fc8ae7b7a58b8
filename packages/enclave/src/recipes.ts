/**
 * Order-critical code of the native driver, to be subclassed.
 *
 * @module
 */
export { AddPages } from './add-pages.js';
export type { AugmenterParts } from './augment.js';
export { Augmenter } from './augment.js';
export { Create } from './create.js';
export { DebugAccess } from './debug-access.js';
export type { DynamicIoctlParts } from './dynamic-ioctl.js';
export { DynamicIoctl } from './dynamic-ioctl.js';
export { FaultHandler } from './fault.js';
export { Loader } from './load.js';
export { ModifyTypes } from './modify-types.js';
export type { NativeOwnerParts } from './native-owner.js';
export { NativeOwner } from './native-owner.js';
export { EnclavePages } from './pages.js';
export { Releaser } from './release.js';
export { RemovePages } from './remove-pages.js';
export { RestrictPermissions } from './restrict.js';
export { TrackingCycle } from './tracking-cycle.js';
