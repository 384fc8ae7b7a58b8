import { ReclaimTarget } from './charge.js';
import { HighCharge } from './charge-high.js';
import { PatientCharge } from './charge-patient.js';
import { EmptyListCharge, EndlessCharge } from './charge-rounds.js';
import { CountedGroupLists, GroupLists } from './group-lists.js';
import { InHandGroupLists } from './lists-in-hand.js';
import { FixedMargin, RoomMargin, StepMargin } from './margin.js';
import type { EpcCgroupOptions } from './options.js';
import { ForgettingVictim } from './victim-policies.js';
import { KillingWork, PatientWork, ThresholdWork } from './work.js';
import { HighWork } from './work-high.js';

/** Bounds that only the default design uses. */
const patience = { ageRotations: 2, stuckRotations: 5, batchPages: 16 };

/** The dedicated controller of 2018 to 2020 (S. Christopherson), on the misc controller's counters, with all its files. */
export const cgroup2020: EpcCgroupOptions = {
  name: 'cgroup-2020',
  numbers: {
    target: ReclaimTarget.FAILING_ANCESTOR,
    minPages: 16,
    maxPages: 64,
    ageRounds: 5,
    emptyRounds: 5,
  },
  patience,
  walk: 'protecting',
  emptinessWalk: 'fromRoot',
  gathers: true,
  roundPages: 0,
  kill: 'destroy',
  victim: (parts) => new ForgettingVictim(parts),
  listsEnclavePages: true,
  listsGuestPages: true,
  hasOwnFiles: true,
  limitWrite: 'block',
  margin: (limits, totalPages) => new StepMargin(limits, { tinyPages: 64, looksUp: false, totalPages }),
  lists: (parts) => new InHandGroupLists(parts),
  charge: (parts) => new HighCharge(parts),
  work: (parts) => new HighWork(parts),
};

/** The series of September 2023 (v5): page states, reclaimable and unreclaimable lists, kill by marking. */
export const cgroupV5: EpcCgroupOptions = {
  name: 'cgroup-v5',
  numbers: {
    target: ReclaimTarget.CHARGING_GROUP,
    minPages: 16,
    maxPages: 32,
    ageRounds: 5,
    emptyRounds: 5,
  },
  patience,
  walk: 'fromRoot',
  emptinessWalk: 'untilDying',
  gathers: true,
  roundPages: 0,
  kill: 'mark',
  victim: (parts) => new ForgettingVictim(parts),
  listsEnclavePages: true,
  listsGuestPages: false,
  limitWrite: 'queue',
  margin: (limits, totalPages) => new StepMargin(limits, { tinyPages: 32, looksUp: true, totalPages }),
  lists: (parts) => new GroupLists(parts),
  charge: (parts) => new EmptyListCharge(parts),
  work: (parts) => new KillingWork(parts),
};

/** The last known posting (v17, August 2024): one list per group, round robin, a margin, nobody is killed. */
export const cgroupV17: EpcCgroupOptions = {
  name: 'cgroup-v17',
  numbers: {
    target: ReclaimTarget.CHARGING_GROUP,
    minPages: 1,
    maxPages: 16,
    ageRounds: Number.POSITIVE_INFINITY,
    emptyRounds: 0,
  },
  patience,
  walk: 'roundRobin',
  emptinessWalk: 'fromRoot',
  gathers: false,
  roundPages: 16,
  kill: 'none',
  victim: 'oldest',
  listsEnclavePages: false,
  listsGuestPages: false,
  limitWrite: 'store',
  margin: (limits) => new FixedMargin(limits),
  lists: (parts) => new GroupLists(parts),
  charge: (parts) => new EndlessCharge(parts),
  work: (parts) => new ThresholdWork({ ...parts, minPages: 16 }),
};

/**
 * The default: reclaims from the group that refused, fairly, waits for pages in flight, ends after a bounded number
 * of looks, and kills nobody unless asked to.
 */
export const epckitCgroups: EpcCgroupOptions = {
  name: 'epckit',
  numbers: {
    target: ReclaimTarget.FAILING_ANCESTOR,
    minPages: 1,
    maxPages: 16,
    ageRounds: 5,
    emptyRounds: 0,
  },
  patience,
  walk: 'fair',
  emptinessWalk: 'fromRoot',
  gathers: true,
  roundPages: 0,
  kill: 'none',
  victim: 'leastActive',
  listsEnclavePages: true,
  listsGuestPages: true,
  limitWrite: 'store',
  margin: (limits) => new RoomMargin(limits),
  lists: (parts) => new CountedGroupLists(parts),
  charge: (parts, patient) => new PatientCharge(parts, patient),
  work: (parts, patient) => new PatientWork(parts, patient),
};

/** Complete sets of switches by name. */
export const epcCgroupPresets = {
  /** {@link cgroup2020} */
  'cgroup-2020': cgroup2020,
  /** {@link cgroupV5} */
  'cgroup-v5': cgroupV5,
  /** {@link cgroupV17} */
  'cgroup-v17': cgroupV17,
  /** {@link epckitCgroups} */
  epckit: epckitCgroups,
} as const satisfies Record<string, EpcCgroupOptions>;
/** Name of a preset. */
export type EpcCgroupPresetName = keyof typeof epcCgroupPresets;
