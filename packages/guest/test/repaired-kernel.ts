import {
  BalancedMapper,
  CountingAddPages,
  GrantingCreate,
  RecheckingAugmenter,
  RecheckingFaultHandler,
  ReclaimableSecsPages,
  SecsReclaimingOwner,
} from '@epckit/enclave/recipes';
import { ExactFreeCount, PatientAllocator, PoisonRemovingSanitizer } from '@epckit/numa/recipes';
import { LoadBackKeeping } from '@epckit/paging/recipes';
import { CountingKsgxd, PoisonAwareLists } from '@epckit/reclaim/recipes';
import type { GuestKernelOptions } from '../src/index.js';

/** A guest's kernel with the known defects of Linux repaired, those of reclaim above all. */
export const repairedKernel: GuestKernelOptions = {
  reclaimer: (...parts) => new CountingKsgxd(...parts),
  allocator: (components) => new PatientAllocator(components),
  lists: (components) => new PoisonAwareLists(components),
  pools: {
    createCount: () => new ExactFreeCount(),
    createSanitizer: (parts) => new PoisonRemovingSanitizer(parts),
  },
  paging: { loadBack: (components) => new LoadBackKeeping(components) },
  enclave: {
    owner: (parts) => new SecsReclaimingOwner(parts),
    pages: (components) => new ReclaimableSecsPages(components),
    create: (...parts) => new GrantingCreate(...parts),
    addPages: (...parts) => new CountingAddPages(...parts),
    mapper: (...parts) => new BalancedMapper(...parts),
    augmenter: (parts) => new RecheckingAugmenter(parts),
    faults: (...parts) => new RecheckingFaultHandler(...parts),
  },
};
