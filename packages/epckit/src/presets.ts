import {
  BalancedMapper,
  CountingAddPages,
  FinishingModifyTypes,
  GrantingCreate,
  HoldingRemovePages,
  RecheckingAugmenter,
  RecheckingFaultHandler,
  ReclaimableSecsPages,
  SecsReclaimingOwner,
} from '@epckit/enclave/recipes';
import { ExactFreeCount, PatientAllocator, PoisonRemovingSanitizer } from '@epckit/numa/recipes';
import { LoadBackKeeping } from '@epckit/paging/recipes';
import { CountingKsgxd, PoisonAwareLists } from '@epckit/reclaim/recipes';
import { InsertingFaultHandler, LockingRemoveAll } from '@epckit/vepc/recipes';
import type { EpcOptions } from './options.js';

/** Policies and recipes of one system, without its machine. */
export type Preset = Omit<EpcOptions, 'machine' | 'probe' | 'checking'>;

/**
 * Linux 6.12: per-node first-in-first-out pools, node walk by id, second chance over one list, batches of 16,
 * marks 32 and 64, three-stage EWB. Its known peculiarities are kept.
 */
export const linux6: Preset = {};

/** The default: Linux 6.12 with its known defects repaired, one recipe each; `docs/reference/presets.md` lists them. */
export const epckit: Preset = {
  // L-01
  reclaimer: (...parts) => new CountingKsgxd(...parts),
  allocator: (components) => new PatientAllocator(components),
  // L-06
  lists: (components) => new PoisonAwareLists(components),
  pools: {
    // L-05
    createCount: () => new ExactFreeCount(),
    // A poisoned child pins its SECS.
    createSanitizer: (parts) => new PoisonRemovingSanitizer(parts),
  },
  // L-03
  paging: { loadBack: (components) => new LoadBackKeeping(components) },
  enclave: {
    // L-02, and with `pages` L-08
    owner: (parts) => new SecsReclaimingOwner(parts),
    pages: (components) => new ReclaimableSecsPages(components),
    // L-10
    create: (...parts) => new GrantingCreate(...parts),
    // L-04
    addPages: (...parts) => new CountingAddPages(...parts),
    // L-11
    mapper: (...parts) => new BalancedMapper(...parts),
    // B-42, and its counterpart beside REMOVE_PAGES
    augmenter: (parts) => new RecheckingAugmenter(parts),
    faults: (...parts) => new RecheckingFaultHandler(...parts),
    // L-15, B-44
    modifyTypes: (parts) => new FinishingModifyTypes(parts),
    // B-43
    removePages: (parts) => new HoldingRemovePages(parts),
  },
  vepc: {
    // V-01
    faults: (components) => new InsertingFaultHandler(components),
    // REMOVE_ALL without a lock
    removeAll: (...parts) => new LockingRemoveAll(...parts),
  },
};

/** Presets by the name that scenarios use. */
export const presets = {
  /** {@link linux6} */
  'linux-6': linux6,
  /** {@link epckit} */
  epckit,
} as const;
