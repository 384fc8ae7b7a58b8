/**
 * Virtual EPC for KVM guests: the device that hands out raw EPC pages, and the leaves that the host runs for a guest.
 *
 * @module
 */
export type { VepcAddress } from './address.js';
export { reach } from './address.js';
export type { VepcViolation } from './check-vepc.js';
export { checkVepc } from './check-vepc.js';
export type { LaunchControl, VepcComponents, VepcFailures, VepcKernelCall } from './components.js';
export type { VepcDriverOptions, VepcDriverRecipes } from './driver.js';
export { createVepcDriver, VepcDriver } from './driver.js';
export type { VepcFaultResultId } from './fault.js';
export { VepcFaultResult } from './fault.js';
export type { GuestResult } from './guest-leaves.js';
export { GUEST_UNMAPPED } from './guest-leaves.js';
export type { Trap, VirtEcreate, VirtEinit } from './kvm-leaves.js';
export { INTEL_LAUNCH_KEY_HASH } from './kvm-leaves.js';
export type { VepcMapArgument } from './map.js';
export { VepcMapper } from './map.js';
export { PageArray } from './page-array.js';
export { VEPC_REMOVE_ALL } from './remove-all.js';
export type { VepcSurroundings } from './vepc.js';
export { Vepc } from './vepc.js';
