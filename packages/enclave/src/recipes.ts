/**
 * Order-critical code of the native driver, to be subclassed.
 *
 * @module
 */
export { AddPages } from './add-pages.js';
export { Create } from './create.js';
export { FaultHandler } from './fault.js';
export { Loader } from './load.js';
export type { NativeOwnerParts } from './native-owner.js';
export { NativeOwner } from './native-owner.js';
export { EnclavePages } from './pages.js';
export { Releaser } from './release.js';
