import type { LockFactory } from '@epckit/interface';
import type { ChargeNumbers, EpcCharge, EpcChargeParts } from './charge.js';
import type { CursorTable } from './cursor-table.js';
import type { EpcGroups } from './epc-groups.js';
import type { GroupLists, GroupListsParts } from './group-lists.js';
import type { GroupLimits, MarginRule } from './margin.js';
import type { PatienceNumbers, PatientReclaim } from './patient-reclaim.js';
import type { VictimPolicyFactory, VictimPolicyName } from './victim-policies.js';
import type { EpcWorkParts } from './work.js';
import type { EpcWork } from './workers.js';

/** In which order groups of a subtree are reclaimed from. */
export type WalkName = 'fair' | 'sharedCursor' | 'protecting' | 'fromRoot' | 'untilDying' | 'roundRobin';

/** What is done when nothing can be reclaimed. */
export type KillName = 'none' | 'mark' | 'destroy';

/** What a write to `misc.max` does beyond storing the limit. */
export type LimitWriteName = 'store' | 'queue' | 'block';

/** Switches and recipes of the engine. {@link epckitCgroups} and its siblings are complete sets. */
export interface EpcCgroupOptions {
  /** Name for reports. */
  readonly name: string;
  /** Who is reclaimed from when a charge fails, and how much. */
  readonly numbers: ChargeNumbers;
  /** Bounds of the patient loops. */
  readonly patience: PatienceNumbers;
  /** In which order groups are reclaimed from. */
  readonly walk: WalkName;
  /** In which order groups are looked at for emptiness, if lists do not count subtrees. */
  readonly emptinessWalk: 'fromRoot' | 'untilDying';
  /** May one batch hold pages of several groups? */
  readonly gathers: boolean;
  /** Pages of one round; 0: as many as are asked for. */
  readonly roundPages: number;
  /**
   * Is somebody killed when nothing can be reclaimed? `mark`: by a worker; `destroy`: by the writer of a limit. What
   * dying means is up to the owner (`PageOwner.kill`).
   */
  readonly kill: KillName;
  /** Who is killed. */
  readonly victim: VictimPolicyName | VictimPolicyFactory;
  /** Are SECS and version arrays kept on a list for victim search? */
  readonly listsEnclavePages: boolean;
  /** Are pages of guests on that list too: can a guest be killed? */
  readonly listsGuestPages: boolean;
  /**
   * Has the design files of its own (`sgx_epc.low`, `.high`, `.max`, …) beside those of the misc controller? Left out:
   * no. What `low` and `high` do is up to walk, charge and work.
   */
  readonly hasOwnFiles?: boolean;
  /** What a write to `misc.max` does. */
  readonly limitWrite: LimitWriteName;
  /** Makes the rule for background reclaim. */
  readonly margin: (limits: GroupLimits, totalPages: number) => MarginRule;
  /** Makes the lists. */
  readonly lists: (parts: GroupListsParts) => GroupLists;
  /** Makes the charge loop. */
  readonly charge: (parts: EpcChargeParts, patience: PatientReclaim) => EpcCharge;
  /** Makes background reclaim. */
  readonly work: (parts: EpcWorkParts, patience: PatientReclaim) => EpcWork;
  /** Makes the cursors. Default: those of v17. */
  readonly cursors?: (groups: EpcGroups, locks: LockFactory) => CursorTable;
}
