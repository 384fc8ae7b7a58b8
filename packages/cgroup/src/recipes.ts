/**
 * Order-critical code of the misc controller, to be subclassed.
 *
 * @module
 */
export type { MiscChargeParts } from './charge.js';
export { MiscCharge } from './charge.js';
export type { ChargeNumbers, EpcChargeParts, ReclaimTargetId } from './sgx/charge.js';
export { EpcCharge } from './sgx/charge.js';
export { HighCharge } from './sgx/charge-high.js';
export { PatientCharge } from './sgx/charge-patient.js';
export type { Rounds } from './sgx/charge-rounds.js';
export { CountingCharge, EmptyListCharge, EndlessCharge, MissingPagesCharge } from './sgx/charge-rounds.js';
export type { ControlEvent } from './sgx/controls.js';
export { ControlTable, controlEvents, EpcControls } from './sgx/controls.js';
export type { EpcCursor } from './sgx/cursor-table.js';
export { CursorTable, ForgetfulCursorTable, RestartingCursorTable } from './sgx/cursor-table.js';
export type { EpcGroupParts, FateId } from './sgx/epc-group.js';
export { EpcGroup, Fate, WorkEnds } from './sgx/epc-group.js';
export type { EpcGroupWatcher } from './sgx/epc-groups.js';
export { EpcGroups } from './sgx/epc-groups.js';
export type { GroupListsParts, MarkListener } from './sgx/group-lists.js';
export { CountedGroupLists, GroupLists, PoisonAwareGroupLists } from './sgx/group-lists.js';
export { GroupReclaim } from './sgx/group-reclaim.js';
export type { HighReclaimParts } from './sgx/high-reclaim.js';
export { HighReclaim } from './sgx/high-reclaim.js';
export type { KillerParts } from './sgx/killer.js';
export { EpcKiller } from './sgx/killer.js';
export type { BlockingLimitWriteParts, LimitWrite } from './sgx/limit-writes.js';
export { BlockingHighWrite, BlockingLimitWrite, QueueingLimitWrite } from './sgx/limit-writes.js';
export { InHandGroupLists } from './sgx/lists-in-hand.js';
export type { MarginRule, StepMarginOptions } from './sgx/margin.js';
export { FixedMargin, GroupLimits, RoomMargin, StepMargin, thresholdOf } from './sgx/margin.js';
export { OwnSubtreeReclaimer } from './sgx/own-subtree-reclaimer.js';
export type { PatienceNumbers, SupplyId } from './sgx/patient-reclaim.js';
export { PatientReclaim, Supply } from './sgx/patient-reclaim.js';
export { Protection } from './sgx/protection.js';
export type { Candidate, VictimPolicyParts } from './sgx/victim-policies.js';
export {
  ForgettingVictim,
  LargestVictim,
  LeastActiveVictim,
  OldestVictim,
  OwnVictim,
  RankedVictim,
  VictimSearch,
} from './sgx/victim-policies.js';
export type { PassPhaseId, SubtreeWalk, WalkPass } from './sgx/walk.js';
export { beginPass, PassPhase } from './sgx/walk.js';
export { WalkByCursor } from './sgx/walk-by-cursor.js';
export { WalkFair } from './sgx/walk-fair.js';
export { WalkFromRoot, WalkUntilDying } from './sgx/walk-from-root.js';
export type { WalkProtectingParts } from './sgx/walk-protecting.js';
export { WalkProtecting } from './sgx/walk-protecting.js';
export { WalkRoundRobin } from './sgx/walk-round-robin.js';
export { WalkSharedCursor } from './sgx/walk-shared-cursor.js';
export type { EpcWorkParts } from './sgx/work.js';
export { KillingWork, PatientWork, RoomWork, ThresholdWork } from './sgx/work.js';
export { HighWork } from './sgx/work-high.js';
export type { EpcWork } from './sgx/workers.js';
export { EpcWorkers } from './sgx/workers.js';
