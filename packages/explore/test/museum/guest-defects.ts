import type { CpuSet, PageIndex, Routine, SgxHardware, Thread, WrittenResult } from '@epckit/interface';
import { Errno, NONE, SgxCode, Written } from '@epckit/interface';
import type { OversubRecipes } from '@epckit/vepc';
import { Eviction } from '@epckit/vepc';
import type { GuestPage, SecsPlace } from '@epckit/vepc/recipes';
import {
  ConflictExits,
  DoomingBlocker,
  FlagExcuses,
  FlagPins,
  GuestFaults,
  GuestWriter,
  SecsPins,
  UnboundedLoader,
} from '@epckit/vepc/recipes';
import { mutants } from '../../../vepc/test/oversub/mutants.js';
import type { Case } from '../../src/index.js';
import { crossing } from './guest-cases.js';
import * as cases from './guest-scenario-cases.js';
import { DATA, DATA_SEEN, readData, SECS, scenario, seen, small, unless } from './guest-scenarios.js';

/** After a write that failed the SECS stays pinned (V-25). */
class UnbalancedWriter extends GuestWriter {
  protected override *unpin(
    thread: Thread,
    subject: GuestPage,
    place: SecsPlace,
    written: WrittenResult,
  ): Routine<void> {
    if (written === Written.FREED) yield* super.unpin(thread, subject, place, written);
  }
}

/** Keeps the lock of the child's instance while it takes that of the SECS (V-34). */
class NestingPins extends SecsPins {
  override *pin(thread: Thread, holder: GuestPage['instance'], place: SecsPlace): Routine<number> {
    const { instance, page } = place;
    const isElsewhere = instance !== holder;
    while (isElsewhere && instance.vepc.lock.mustWait(thread)) yield instance.vepc.lock.acquire;
    const result = yield* this.parts.faults.bringSecs(thread, instance, page);
    if (result === 0) this.count(place, 1);
    const secs = instance.vepc.pages.get(page);
    if (isElsewhere) instance.vepc.lock.release(thread);
    return result === 0 ? secs : result;
  }
}

/** Counts dropped children down without saying that it works on the SECS. */
class Unexcused extends SecsPins {
  override *settle(thread: Thread, { instance, page }: SecsPlace, secs: PageIndex): Routine<void> {
    for (; instance.records.owed(page) > 0; instance.records.addOwed(page, -1))
      yield* this.parts.leaves.edec(thread, secs, secs);
  }
}

/** Runs a step as if the instance were alive. */
function* asIfAlive<T>({ instance }: GuestPage, step: Routine<T>): Routine<T> {
  const wasDead = instance.isDead;
  instance.isDead = false;
  const result = yield* step;
  instance.isDead ||= wasDead;
  return result;
}

/** Does not look again whether the instance is dead when it has its lock back (V-35). */
class TrustingWriter extends GuestWriter {
  protected override writePinned(
    thread: Thread,
    subject: GuestPage,
    place: SecsPlace,
    secs: PageIndex,
  ): Routine<WrittenResult> {
    return asIfAlive(subject, super.writePinned(thread, subject, place, secs));
  }
}

/** Does not look whether the instance is dead at all (V-36). */
class DeathBlindWriter extends GuestWriter {
  override write(thread: Thread, subject: GuestPage): Routine<WrittenResult> {
    return asIfAlive(subject, super.write(thread, subject));
  }
}

/** Looks for the CPUs to interrupt before the tracking cycle begins (V-37). */
class EarlyMaskWriter extends GuestWriter {
  protected override *ewb(thread: Thread, { instance, page, index }: GuestPage): Routine<number> {
    const early = this.parts.oversub.createCpuSet();
    yield* instance.collectCpus(thread, early);
    const { id, secs } = instance;
    const owner = {
      id,
      secs,
      *collectCpus(_thread: Thread, cpus: CpuSet): Routine<void> {
        cpus.addAll(early);
      },
    };
    return yield* instance.paging.writeBack.write(thread, owner, page, index);
  }
}

/** A signal at the limit is SIGBUS (V-39). */
class SignalBlindFaults extends GuestFaults {
  protected override *alloc(thread: Thread, instance: GuestPage['instance'], index: number): Routine<number> {
    const page = yield* super.alloc(thread, instance, index);
    return page === -Errno.ERESTARTSYS ? -Errno.EFAULT : page;
  }
}

/** Lets the virtual CPUs leave when they like. */
class HastyExcuses extends ConflictExits {
  protected override *drain(thread: Thread, vm: Parameters<ConflictExits['handle']>[1]): Routine<void> {
    const cpus = this.parts.oversub.createCpuSet();
    cpus.addAll(vm.mm.cpus);
    yield* this.parts.oversub.ipi.kick(thread, cpus);
  }
}

/** V-26: a SECS cannot be mapped again while the guest touches it. */
function refused(recipes: OversubRecipes = {}): Case {
  let left = 0;
  const failures = { fails: (call: string) => call === 'pfn' && left-- > 0 };
  return scenario('a refused entry beside a touch', { built: small, failures, recipes }, (it) => {
    left = 1;
    return {
      threads: [it.guest(0, { do: 'eblock', at: SECS }), it.evictor(0, SECS)],
      reached: () => left === 0,
    };
  });
}

/**
 * V-27: a virtual CPU goes round in a loop of leaves that are in the way of every load, until it is interrupted. Being
 * inside the enclave stands for the loop.
 */
function hammered(recipes: OversubRecipes = {}): Case {
  const leaves = (real: SgxHardware): Partial<SgxHardware> => ({
    elduc: (...operands) => (real.insideOf(1) === NONE ? real.elduc(...operands) : SgxCode.EPC_PAGE_CONFLICT),
  });
  const options = { vcpus: 2, evicted: [DATA], recipes, leaves };
  return scenario('a load of a page whose SECS is hammered', options, (it) => ({
    threads: [it.guest(0, readData), { cpu: 1, routine: it.entering(1) }],
    wrong: () => seen(it, 0, DATA_SEEN),
  }));
}

/** V-37: a virtual CPU enters the enclave while a page of it is evicted; the CPU has not run the VMM before. */
function entering(recipes: OversubRecipes = {}): Case {
  return scenario('an entry beside an eviction', { vcpus: 2, recipes }, (it) => {
    it.stack.mm.unload(1);
    const enter = function* (): Routine<void> {
      yield it.stack.mm.cpusWriting;
      it.stack.mm.load(1);
      yield* it.entering(1);
    };
    return {
      threads: [{ cpu: 1, routine: enter() }, it.evictor(0, DATA)],
      wrong: () => unless(it.evictions[0] === Eviction.EVICTED, 'the third EWB has failed'),
    };
  });
}

/** A wrong step, and the scenario that shows it. */
export interface GuestDefect {
  readonly id: string;
  readonly what: string;
  readonly recipes: OversubRecipes;
  readonly subject: (recipes?: OversubRecipes) => Case;
  /** What the finding says. */
  readonly finding: RegExp;
  /** Preemptions that it takes. */
  readonly preemptions: number;
  /** Must leaves overlap? */
  readonly overlaps?: boolean;
}

/** Every one that is a matter of order; V-29, V-32 are found with two VMs (`guest-reclaim.test.ts`). */
export const defects: readonly GuestDefect[] = [
  {
    id: 'V-24',
    what: 'a pin is a flag, not a count',
    recipes: { pins: (parts) => new FlagPins(parts) },
    subject: cases.pinned,
    finding: /read -7/,
    preemptions: 1,
  },
  {
    id: 'V-25',
    what: 'the SECS stays pinned after a write that failed',
    recipes: { writer: (parts) => new UnbalancedWriter(parts) },
    subject: cases.tracking,
    finding: /1 pins/,
    preemptions: 1,
    overlaps: true,
  },
  {
    id: 'V-26',
    what: 'a page that cannot be mapped again is marked by a fault, too',
    recipes: { blocker: (parts) => new DoomingBlocker(parts) },
    subject: refused,
    finding: /reclaimable unknown to us/,
    preemptions: 1,
  },
  {
    id: 'V-27',
    what: 'a load that conflicts is repeated for ever',
    recipes: { loader: (parts) => new UnboundedLoader(parts) },
    subject: hammered,
    finding: /No end/,
    preemptions: 1,
  },
  {
    id: 'V-28',
    what: 'a page is looked at before it is unmapped',
    recipes: mutants['V-28'],
    subject: cases.removingChild,
    finding: /dead|eremove/,
    preemptions: 1,
  },
  {
    id: 'V-30',
    what: 'the child is counted down before it is loaded',
    recipes: mutants['V-30'],
    subject: cases.removingBesideLoad,
    finding: /eremove 0/,
    preemptions: 1,
  },
  {
    id: 'V-31',
    what: 'the page is mapped before it is loaded',
    recipes: mutants['V-31'],
    subject: cases.sameLoad,
    finding: /unused/,
    preemptions: 1,
  },
  {
    id: 'V-34',
    what: 'two instance locks are held at a time',
    recipes: { pins: (parts) => new NestingPins(parts) },
    subject: crossing,
    finding: /nested in contradicting orders/,
    preemptions: 1,
  },
  {
    id: 'V-35',
    what: 'death is not looked at again after the lock was dropped',
    recipes: { writer: (parts) => new TrustingWriter(parts) },
    subject: cases.destroying,
    finding: /no version array/,
    preemptions: 1,
  },
  {
    id: 'V-36',
    what: 'death is not looked at before EWB',
    recipes: { writer: (parts) => new DeathBlindWriter(parts) },
    subject: cases.destroyingOne,
    finding: /no version array/,
    preemptions: 1,
  },
  {
    id: 'V-37',
    what: 'CPUs are looked for before the cycle begins',
    recipes: { writer: (parts) => new EarlyMaskWriter(parts) },
    subject: entering,
    finding: /third EWB/,
    preemptions: 1,
  },
  {
    id: 'V-39',
    what: 'a signal at the limit is SIGBUS',
    recipes: { faults: (parts) => new SignalBlindFaults(parts) },
    subject: cases.signalled,
    finding: /SIGBUS/,
    preemptions: 1,
  },
  {
    id: 'S-09, no excuse',
    what: 'the host counts a dropped child down without marking the SECS',
    recipes: { pins: (parts) => new Unexcused(parts) },
    subject: cases.removingBesideDrop,
    finding: /virtual CPU 0: eremove \d/,
    preemptions: 2,
    overlaps: true,
  },
  {
    id: 'S-13, one excuse',
    what: 'the host marks a SECS once for several leaves',
    recipes: { conflicts: (parts) => new FlagExcuses(parts) },
    subject: cases.tracking,
    finding: /etrack/,
    preemptions: 2,
    overlaps: true,
  },
  {
    id: 'S-13, no wait',
    what: 'ETRACK is repeated before all virtual CPUs have left',
    recipes: { conflicts: (parts) => new HastyExcuses(parts) },
    subject: cases.trackingInside,
    finding: /No end/,
    preemptions: 1,
  },
];
