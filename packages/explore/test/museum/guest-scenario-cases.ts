import type { Routine } from '@epckit/interface';
import { Errno, LeafFault, Mode, NONE, op, SgxCode } from '@epckit/interface';
import type { MachineThread } from '@epckit/machine';
import { createMemoryFailure } from '@epckit/numa';
import type { OversubRecipes } from '@epckit/vepc';
import { Eviction, HostMark, VepcFaultResult } from '@epckit/vepc';
import type { Cell, Step } from '../../../vepc/test/oversub/program.js';
import { building } from '../../../vepc/test/oversub/program.js';
import type { Case } from '../../src/index.js';
import type { GuestScene, SceneOptions } from './guest-scenarios.js';
import * as parts from './guest-scenarios.js';

const { SECS, VERSIONS, DATA, MORE, readData, readMore, DATA_SEEN, MORE_SEEN } = parts;
const { small, twins, scenario, seen, unless } = parts;

const removeSecs: Step = { do: 'eremove', at: SECS };
const track: Step = { do: 'etrack', at: SECS };
/** Cells that the guest does not build its enclave in. */
const spare: readonly Cell[] = [
  { section: 0, page: 2 },
  { section: 0, page: 3 },
  { section: 1, page: 3 },
];
const fresh = spare[0] as Cell;

/** Batches that the reclaimer has ended. */
const batches = ({ stack }: GuestScene): number => stack.reclaimer.batches.ended.value;

/** S-02: two virtual CPUs touch the same page while no EPC page is free. */
export const sameTouch = scenario('two touches of a page in a full EPC', { vcpus: 2, epcPages: 7 }, (it) => {
  const before = batches(it);
  const touch: Step = { do: 'eremove', at: fresh };
  return {
    threads: [it.guest(0, touch), it.guest(1, touch)],
    wrong: () => [...seen(it, 0, 'eremove 0'), ...seen(it, 1, 'eremove 0')],
    reached: () => batches(it) > before,
  };
});

/** S-08: pages go while the guest uses and changes its enclave. */
export const everything = scenario('evictions beside a program', {}, (it) => {
  const removeMore: Step = { do: 'eremove', at: MORE };
  return {
    threads: [it.guest(0, readData, removeMore, { do: 'epa', at: MORE }, removeSecs), it.reclaimer(0, 2, 3)],
    wrong: () => seen(it, 0, DATA_SEEN, 'eremove 0', 'epa 0', `eremove ${SgxCode.CHILD_PRESENT}`),
  };
});

/** S-09: the second child of a SECS is evicted while the guest tries to remove the SECS. */
export function removing(recipes: OversubRecipes = {}): Case {
  return scenario(
    'EREMOVE beside the eviction of the last child',
    { built: twins, evicted: [DATA], recipes },
    (it) => ({
      threads: [it.guest(0, removeSecs), it.evictor(0, MORE)],
      wrong: () => seen(it, 0, `eremove ${SgxCode.CHILD_PRESENT}`),
      reached: () => it.evictions[0] === Eviction.EVICTED,
    }),
  );
}

/** The host forgets the last child, which is evicted, and counts it down through the SECS that the guest removes. */
export function removingBesideDrop(recipes: OversubRecipes = {}): Case {
  return scenario(
    'EREMOVE of a SECS beside REMOVE_ALL of the section of its child',
    { built: small, evicted: [DATA], recipes },
    (it) => {
      const { stack, program } = it;
      const left: number[] = [];
      // What the eviction of the child has left excuses nothing.
      const { vepc, page } = program.at(SECS);
      stack.instance(vepc).marks.take(page, HostMark.LOCKED);
      const empty = function* (thread: MachineThread): Routine<void> {
        left.push(yield* stack.driver.removeAll.run(thread, program.at(DATA).vepc));
      };
      return {
        threads: [it.guest(0, removeSecs), it.host(0, empty)],
        wrong: () => [
          ...unless(left.join() === '0', `REMOVE_ALL leaves ${left}`),
          ...unless(/^eremove (0|13)$/.test(`${it.told[0]}`), `virtual CPU 0: ${it.told[0]}`),
        ],
        state: () => `${it.told[0]}`,
      };
    },
  );
}

/** S-08: the guest removes a page while it is evicted, and finds it unused. */
export function removingChild(recipes: OversubRecipes = {}): Case {
  return scenario('EREMOVE of a page beside its eviction', { built: small, recipes }, (it) => ({
    threads: [it.guest(0, { do: 'eremove', at: DATA }, readData), it.evictor(0, DATA)],
    wrong: () => [
      ...seen(it, 0, 'eremove 0', 'read unused'),
      ...unless(!it.stack.instance(it.program.at(DATA).vepc).isDead, 'the instance is dead'),
    ],
  }));
}

/** S-09: the only child of a SECS is loaded while another virtual CPU tries to remove the SECS. */
export function removingBesideLoad(recipes: OversubRecipes = {}): Case {
  const options = { vcpus: 2, built: small, evicted: [DATA], recipes };
  return scenario('EREMOVE of a SECS beside the load of its child', options, (it) => ({
    threads: [it.guest(0, readData), it.guest(1, removeSecs)],
    wrong: () => [...seen(it, 0, DATA_SEEN), ...seen(it, 1, `eremove ${SgxCode.CHILD_PRESENT}`)],
  }));
}

/** S-08: two virtual CPUs read the same evicted page. */
export function sameLoad(recipes: OversubRecipes = {}): Case {
  return scenario(
    'two reads of an evicted page',
    { vcpus: 2, built: small, evicted: [DATA], recipes },
    (it) => ({
      threads: [it.guest(0, readData), it.guest(1, readData)],
      wrong: () => [...seen(it, 0, DATA_SEEN), ...seen(it, 1, DATA_SEEN)],
    }),
  );
}

/** S-10: the guest blocks a page, and writes it out as its own driver does, while the host evicts it. */
export const blocked = scenario('EBLOCK and EWB beside an eviction', {}, (it) => ({
  threads: [
    it.guest(0, { do: 'eblock', at: DATA }, { do: 'pageOut', at: DATA, va: VERSIONS, slot: 0 }),
    it.evictor(0, DATA),
  ],
  wrong: () => seen(it, 0, 'eblock 0', `pageOut ${SgxCode.BLSTATE} 0 0 515 4097`),
  reached: () => it.evictions[0] === Eviction.EVICTED,
}));

/** S-11: two virtual CPUs load two children of a SECS that is out. */
export const twoLoads = scenario(
  'two loads of children of one SECS',
  { vcpus: 2, built: twins, evicted: [DATA, MORE, SECS] },
  (it) => {
    it.stack.log.clear();
    const loads = () => it.stack.log.leaves.filter((line) => line.startsWith('ELDUC')).length;
    return {
      threads: [it.guest(0, readData), it.guest(1, readMore)],
      wrong: () => [
        ...seen(it, 0, DATA_SEEN),
        ...seen(it, 1, MORE_SEEN),
        ...unless(loads() === 3, `${loads()} loads, not 3`),
      ],
    };
  },
);

/** S-11: one child is loaded while the other one and then the SECS are evicted. */
export function pinned(recipes: OversubRecipes = {}): Case {
  return scenario(
    'a load beside evictions of sibling and SECS',
    { built: twins, evicted: [DATA], recipes },
    (it) => ({
      threads: [it.guest(0, readData), it.evictor(0, MORE, SECS)],
      wrong: () => seen(it, 0, DATA_SEEN),
    }),
  );
}

/** S-13: the guest's ETRACK beside a tracking cycle of the host. */
export function tracking(recipes: OversubRecipes = {}): Case {
  return scenario('ETRACK beside an eviction', { built: small, recipes }, (it) => ({
    threads: [it.guest(0, track), it.evictor(0, DATA)],
    wrong: () => seen(it, 0, 'etrack 0'),
  }));
}

/** S-13: the same while another virtual CPU is inside, so that the host's cycle stays unfinished. */
export function trackingInside(recipes: OversubRecipes = {}): Case {
  return scenario('ETRACK beside an eviction, a virtual CPU inside', { vcpus: 2, recipes }, (it) => {
    it.enter(1);
    return {
      threads: [it.guest(0, track), it.evictor(0, DATA)],
      wrong: () => seen(it, 0, 'etrack 0'),
    };
  });
}

/** The guest blocks a page while the host tracks: there is no exit for that, so the guest sees it. */
export const blockingSibling = scenario(
  'EBLOCK beside the eviction of a sibling',
  { built: twins },
  (it) => ({
    threads: [it.guest(0, { do: 'eblock', at: DATA }), it.evictor(0, MORE)],
    state: () => `${it.told[0]}`,
  }),
);

/** #GP in words. */
const nameResult = (told: string): string => told.replace(`${LeafFault.GP}`, 'GP');

/** S-14: two ETRACKs of the guest, the host idle; in the second one a virtual CPU is inside. */
export const [twoTracks, twoTracksInside] = [false, true].map((isInside) =>
  scenario(`two ETRACKs${isInside ? ', a virtual CPU inside' : ''}`, { vcpus: 3, built: building }, (it) => {
    if (isInside) it.enter(2);
    return {
      threads: [it.guest(0, track), it.guest(1, track)],
      state: () => it.told.flat().map(nameResult).sort().join(),
    };
  }),
) as [Case, Case];

/** The VM is destroyed: KVM lets go of its sections, which are unmapped and closed. */
function* destroy({ stack, program }: GuestScene, thread: MachineThread): Routine<void> {
  const { driver, oversub, mm } = stack;
  for (const vepc of program.sections.toReversed()) yield* oversub.enabler.disable(thread, vepc);
  for (const vepc of program.sections) {
    yield* driver.mapper.unmap(thread, mm, vepc, 0, vepc.pageCount);
    mm.forget(vepc.id);
    yield* driver.release(thread, vepc);
  }
}

/** S-15: the VM is destroyed while a page is evicted whose SECS is in the other section. */
export function destroying(recipes: OversubRecipes = {}): Case {
  return ending('the end of the VM beside an eviction', { hosts: 2, built: small, recipes });
}

/** S-15: the same with both in one section. */
export function destroyingOne(recipes: OversubRecipes = {}): Case {
  const built = [building[1], building[2]] as Step[];
  return ending('the end of the VM beside an eviction, one section', { hosts: 2, built, recipes });
}

function ending(name: string, options: SceneOptions): Case {
  return scenario(name, options, (it) => {
    it.hasEnded = true;
    it.stack.log.clear();
    return {
      state: () => `${it.stack.driver.zombies.all().length} zombies`,
      threads: [it.reclaimer(0, 2), it.host(1, (thread) => destroy(it, thread))],
      reached: () => it.stack.log.leaves.some((line) => line.startsWith('EWB')),
      wrong: () => unless(it.stack.driver.instances().length === 0, 'an instance is left'),
    };
  });
}

/** S-16: no EPC page for the SECS that two children need. */
export const noRoom = scenario(
  'two loads without a page for the SECS',
  {
    vcpus: 2,
    epcPages: 5,
    built: twins,
    evicted: [DATA, MORE, SECS],
    filled: spare.map((at) => ({ do: 'epa', at })),
  },
  (it) => {
    const before = batches(it);
    return {
      threads: [it.guest(0, readData), it.guest(1, readMore)],
      wrong: () => [...seen(it, 0, DATA_SEEN), ...seen(it, 1, MORE_SEEN)],
      reached: () => batches(it) > before,
    };
  },
);

/** S-17: memory goes bad while a page is evicted. */
export const poisoned = scenario('a memory error beside an eviction', { hosts: 2, built: small }, (it) => {
  const { frames, pools, lists } = it.stack;
  const { vepc, page } = it.program.at(DATA);
  const bad = vepc.pages.get(page);
  const failure = createMemoryFailure({ frames, pools, reclaimLists: () => lists });
  return {
    threads: [it.evictor(0, DATA), it.host(1, (thread) => failure.report(thread, bad))],
    state: () => `${it.evictions[0] === Eviction.EVICTED ? 'evicted' : 'kept'} ${it.state}`,
    after: () => unless(frames.listOf(bad) === pools.lists.poison(0), 'the bad page may be used again'),
  };
});

/** The VMM unmaps the section of the child. */
function* unmap({ stack, program }: GuestScene, thread: MachineThread): Routine<void> {
  const { vepc } = program.at(DATA);
  yield* stack.driver.mapper.unmap(thread, stack.mm, vepc, 0, vepc.pageCount);
}

/** S-18: the VMM unmaps a section while a page of it is evicted. */
export const unmapping = scenario('munmap beside an eviction', { hosts: 2, built: small }, (it) => ({
  threads: [it.evictor(0, DATA), it.host(1, (thread) => unmap(it, thread))],
  state: () => `${it.evictions[0] === Eviction.EVICTED ? 'evicted' : 'kept'} ${it.state}`,
}));

/** S-18: the same while the guest's access brings a page of it back. */
export const unmappingLoad = scenario('munmap beside a load', { built: small, evicted: [DATA] }, (it) => ({
  threads: [it.guest(0, readData), it.host(0, (thread) => unmap(it, thread))],
  state: () => `${it.told[0]}`,
}));

/** A guest's access, repeated until the page is there; signals are handled in between. */
function* touch({ stack, program, mark }: GuestScene, thread: MachineThread): Routine<void> {
  const { vepc, page } = program.at(fresh);
  while (vepc.pages.get(page) === NONE) {
    const result = yield* stack.oversub.violation(thread, stack.mm, vepc, page);
    if (result !== VepcFaultResult.NOPAGE) return;
    if (thread.signalPending) mark('signal during the fault');
    yield op(thread.signalObject, Mode.WRITE);
    thread.signalPending = false;
  }
}

/** S-19: a signal while a fault waits for its limit. */
export function signalled(recipes: OversubRecipes = {}): Case {
  return scenario('a signal beside a fault at the limit', { epcPages: 7, recipes }, (it) => {
    const { allocator } = it.stack;
    const thread = it.thread(0);
    const alloc = allocator.alloc.bind(allocator);
    // The group is at its limit when the EPC is full: charging waits, and a signal ends that.
    Object.assign(allocator, {
      *alloc(...given: Parameters<typeof alloc>) {
        const page = yield* alloc(...given);
        if (page !== -Errno.EBUSY) return page;
        yield thread.signalReading;
        return thread.signalPending ? -Errno.ERESTARTSYS : page;
      },
    });
    const { vepc, page } = it.program.at(fresh);
    return {
      threads: [
        { cpu: 0, routine: touch(it, thread) },
        it.host(0, function* () {
          yield op(thread.signalObject, Mode.WRITE);
          thread.signalPending = true;
        }),
      ],
      wrong: () => unless(vepc.pages.get(page) !== NONE, 'the access has ended in SIGBUS'),
    };
  });
}
