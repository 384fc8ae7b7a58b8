/**
 * Order-critical code of the virtual EPC driver, to be subclassed.
 *
 * @module
 */
export { InsertingFaultHandler, VepcFaultHandler } from './fault.js';
export { GuestLeaves } from './guest-leaves.js';
export type { VepcKillerParts, VepcOwnerParts } from './kill.js';
export { VepcKiller, VepcOwner } from './kill.js';
export { KvmLeaves } from './kvm-leaves.js';
export { GuestBlocker } from './oversub/blocker.js';
export { ConflictExits } from './oversub/conflict-exits.js';
export { Dropper } from './oversub/dropper.js';
export { Enabler } from './oversub/enabler.js';
export { PageEviction } from './oversub/evict-page.js';
export { EvictableVersions } from './oversub/evictable-versions.js';
export { OversubFaultHandler } from './oversub/fault-handler.js';
export { GuestFaults } from './oversub/guest-faults.js';
export { GuestKiller } from './oversub/guest-killer.js';
export { GuestOwner } from './oversub/guest-owner.js';
export { HostLeaves } from './oversub/host-leaves.js';
export { HostTracker } from './oversub/host-tracker.js';
export type { GuestPage, SecsPlace } from './oversub/instances.js';
export { GuestLoader } from './oversub/loader.js';
export type { OversubParts } from './oversub/parts.js';
export {
  DoomingBlocker,
  DoomingWriter,
  FlagExcuses,
  FlagPins,
  PoisonBlindOwner,
  ResidentRemoveAll,
  UnboundedLoader,
} from './oversub/preset.js';
export { OversubReleaser } from './oversub/releaser.js';
export { OversubRemoveAll } from './oversub/remove-all.js';
export { Resume } from './oversub/resume.js';
export { SecsPins } from './oversub/secs-pins.js';
export type { LeafPage } from './oversub/tree-slots.js';
export { TreeSlots } from './oversub/tree-slots.js';
export { VersionLeaves } from './oversub/version-leaves.js';
export { VersionPages } from './oversub/version-pages.js';
export { GuestWriter } from './oversub/writer.js';
export { VepcPages } from './pages.js';
export type { VepcReleaserParts } from './release.js';
export { VepcReleaser } from './release.js';
export { LockingRemoveAll, RemoveAll } from './remove-all.js';
export { ZombieSecs } from './zombies.js';
