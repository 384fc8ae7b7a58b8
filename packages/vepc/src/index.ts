/**
 * Virtual EPC for KVM guests: the device that hands out raw EPC pages, and the leaves that the host runs for a guest.
 *
 * @module
 */
export type { VepcAddress } from './address.js';
export { reach } from './address.js';
export type { VepcViolation } from './check-vepc.js';
export { checkVepc } from './check-vepc.js';
export type { VepcComponents, VepcFailures, VepcKernelCall } from './components.js';
export type { VepcDriverOptions, VepcDriverRecipes } from './driver.js';
export { createVepcDriver, VepcDriver } from './driver.js';
export type { VepcFaultResultId } from './fault.js';
export { VepcFaultResult } from './fault.js';
export type { GuestResult } from './guest-leaves.js';
export { GUEST_UNMAPPED } from './guest-leaves.js';
export type { VepcInterrupts, VepcOwner } from './kill.js';
export * from './kvm/index.js';
export type { Trap, VirtEcreate, VirtEinit } from './kvm-leaves.js';
export type { VepcMapArgument } from './map.js';
export { VepcMapper } from './map.js';
export type { OversubHardware } from './oversub/check-oversub.js';
export { checkOversub } from './oversub/check-oversub.js';
export type {
  EvictableVersionArrays,
  OversubComponents,
  OversubPaging,
  OversubPagingParts,
} from './oversub/components.js';
export type { GuestConflict } from './oversub/conflict-exits.js';
export { CONFLICT_REENTER } from './oversub/conflict-exits.js';
export type { EvictionId } from './oversub/evict-page.js';
export { Eviction } from './oversub/evict-page.js';
export type { GuestClassId, GuestRecords, GuestStateId } from './oversub/guest-records.js';
export { GuestClass, GuestState } from './oversub/guest-records.js';
export type { HostMarkId, HostMarks } from './oversub/host-marks.js';
export { HostMark } from './oversub/host-marks.js';
export type { OversubInstance } from './oversub/instance.js';
export type { GuestInstances } from './oversub/instances.js';
export { hostCookie } from './oversub/instances.js';
export type { LoadLeaf } from './oversub/load-leaf.js';
export { Oversub } from './oversub/oversub.js';
export type { PageOps2018 } from './oversub/owner-2018.js';
export { from2018, to2018 } from './oversub/owner-2018.js';
export { kvmOversub } from './oversub/preset.js';
export type { OversubRecipes } from './oversub/recipes.js';
export type { VersionArrayCounts, VersionKeeper, VersionStore } from './oversub/version-keeper.js';
export { VersionShape } from './oversub/version-shape.js';
export { VersionTree } from './oversub/version-tree.js';
export type { OversubVm, VmPage } from './oversub/vm.js';
export { PageArray } from './page-array.js';
export { VEPC_REMOVE_ALL } from './remove-all.js';
export type { VepcSurroundings } from './vepc.js';
export { Vepc } from './vepc.js';
