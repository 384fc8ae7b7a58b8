import type { Routine } from '@epckit/interface';
import { Errno, NONE, OwnerKind } from '@epckit/interface';
import type { Vepc, VepcAddress, VepcDriverRecipes } from '@epckit/vepc';
import { LockingRemoveAll } from '@epckit/vepc/recipes';
import { describe, expect, it } from 'vitest';
import type { Case, ExplorationResult } from '../../src/index.js';
import { explore } from '../../src/index.js';
import { Guests, guestCase } from './virtual-epc.js';

/** Final states that two independent reductions agree on. */
function statesOf(subject: Case): string[] {
  const [first, second] = (['dpor', 'sleepSets'] as const).map((strategy) => {
    const { status, finding, finalStates } = explore(subject, { strategy });
    expect([status, finding]).toEqual(['exhausted', null]);
    return [...finalStates].sort();
  }) as [string[], string[]];
  expect(second).toEqual(first);
  return first;
}

/** Instances, and which pages of one enclave each holds: `S` is the SECS, `c` a child. */
const layouts = ['S|c', 'S|cc', 'Sc|c', 'cS|c', 'S|c|'];

/** Instances as a layout says, with an enclave in them. */
function layOut(layout: string): { readonly guests: Guests; readonly opened: readonly Vepc[] } {
  const parts = layout.split('|');
  const guests = new Guests({ epcPages: 6, cpus: parts.length });
  const opened = parts.map(() => guests.open(3));
  const places = parts.flatMap((pages, number) =>
    [...pages].map((what, page) => ({ what, at: guests.at(opened[number] as Vepc, page) })),
  );
  const of = (wanted: string) => places.filter(({ what }) => what === wanted).map(({ at }) => at);
  guests.enclave(...(of('S') as [VepcAddress]), ...of('c'));
  return { guests, opened };
}

/** REMOVE_ALL of the first instance beside the close of the second one. Two more calls leave nothing. */
function removing(layout: string): Case {
  return guestCase(`REMOVE_ALL and close of ${layout}`, () => {
    const { guests, opened } = layOut(layout);
    const [a, b] = opened as [Vepc, Vepc];
    guests.unmap(b);
    const left: number[] = [];
    const removeAll = function* (): Routine<void> {
      left.push(yield* guests.driver.removeAll.run(guests.thread(0), a));
    };
    return {
      guests,
      routines: [removeAll(), guests.driver.release(guests.thread(1), b)],
      wrong: () => {
        for (let call = 0; call < 2; call++) guests.machine.run(guests.thread(0), removeAll());
        return left[2] === 0 ? [] : [`${left[2]} pages are left by the last call`];
      },
      state: () => `${left[0]}`,
    };
  });
}

/** All instances of the enclave are closed at once. A zombie goes with the next close, whatever is closed then. */
function closing(layout: string): Case {
  return guestCase(`closes of ${layout}`, () => {
    const { guests, opened } = layOut(layout);
    for (const vepc of opened) guests.unmap(vepc);
    const left = () => guests.driver.zombies.all();
    let zombies = '';
    return {
      guests,
      routines: opened.map((vepc, cpu) => guests.driver.release(guests.thread(cpu), vepc)),
      wrong: () => {
        zombies = `zombies ${left()}`;
        guests.close(guests.open(1));
        return guests.free().length === 6 ? guests.violations() : ['a page is lost'];
      },
      state: () => zombies,
    };
  });
}

describe('every interleaving', () => {
  it('of two virtual CPUs that touch the same page (S-01) ends with one page', () => {
    const touching = guestCase('two faults', () => {
      const guests = new Guests({ epcPages: 4, cpus: 2 });
      const vepc = guests.open(2);
      const results: number[] = [];
      const fault = function* (cpu: number): Routine<void> {
        results[cpu] = yield* guests.fault(cpu, vepc, 1);
      };
      return {
        guests,
        routines: [fault(0), fault(1)],
        state: () => `${results} ${guests.free()}`,
        wrong: () => (guests.free().length === 3 ? [] : ['not one page was taken']),
      };
    });
    expect(statesOf(touching)).toEqual(['0,0 1,2,3']);
  });

  it.each(layouts)('of closes of %s (S-06) loses nothing, whoever is last', (layout) => {
    // The SECS has EPC page 0.
    expect(statesOf(closing(layout))).toEqual(['zombies ', 'zombies 0']);
  });

  it.each(['Sc|c', 'cS|c'])('of closes of %s (S-06) loses nothing if leaves overlap, either', (layout) => {
    const [plain, overlapping] = [false, true].map((overlaps) =>
      explore(closing(layout), { strategy: 'dfs', preemptions: 2, overlaps }),
    ) as [ExplorationResult, ExplorationResult];
    expect(overlapping.finding).toBeNull();
    expect([...overlapping.finalStates].sort()).toEqual(['zombies ', 'zombies 0']);
    // EREMOVEs of the two children have met.
    expect(overlapping.executions).toBeGreaterThan(plain.executions);
  });

  it('of REMOVE_ALL and a close of another instance of the enclave (S-07) gives 0 or 1', () => {
    expect(statesOf(removing('S|c'))).toEqual(['0', '1']);
  });

  it('of REMOVE_ALL and a close (S-07) gives EBUSY, too, if EREMOVEs of two children overlap', () => {
    const bounded = { strategy: 'dfs', preemptions: 2 } as const;
    const { finding, finalStates } = explore(removing('Sc|c'), { ...bounded, overlaps: true });
    expect(finding).toBeNull();
    expect([...finalStates].sort()).toEqual([`${-Errno.EBUSY}`, '1']);
  });

  it('of REMOVE_ALL and a fault (V-08) leaves an unused page: it makes no difference who is first', () => {
    const faulting = guestCase('REMOVE_ALL and fault', () => {
      const guests = new Guests({ epcPages: 4, cpus: 2 });
      const vepc = guests.open(2);
      return {
        guests,
        routines: [guests.driver.removeAll.run(guests.thread(0), vepc), guests.fault(1, vepc, 1)],
        state: () => `${vepc.pages.get(1)} ${guests.epc.hardware.isValid(0)}`,
      };
    });
    expect(statesOf(faulting)).toEqual(['0 false']);
  });
});

/** An EPC of one page; no fault can insert its entry, and a stranger takes the page when it is free. */
function failingFault(recipes: VepcDriverRecipes): Case {
  return guestCase('REMOVE_ALL and a fault that fails', () => {
    const failures = { fails: (call: string) => call === 'pfn' };
    const guests = new Guests({ epcPages: 1, cpus: 3, failures, recipes });
    const vepc = guests.open(1);
    const stranger = guests.thread(2);
    let taken: number = NONE;
    const takeAndUse = function* (): Routine<void> {
      taken = yield* guests.epc.allocator.alloc(stranger, OwnerKind.NATIVE, 1, 0, false);
      if (taken < 0) return;
      yield guests.epc.hardware.leafAt(taken);
      guests.epc.hardware.epa(stranger.cpu, taken);
    };
    return {
      guests,
      routines: [guests.driver.removeAll.run(guests.thread(0), vepc), guests.fault(1, vepc, 0), takeAndUse()],
      state: () => (taken < 0 ? 'no page' : guests.epc.hardware.isValid(taken) ? 'kept' : 'destroyed'),
    };
  });
}

describe('REMOVE_ALL and a fault that cannot insert its entry (derived)', () => {
  it('take no lock in common: REMOVE_ALL destroys the page of a stranger who got it meanwhile', () => {
    expect(statesOf(failingFault({}))).toEqual(['destroyed', 'kept', 'no page']);
  });

  it('cannot do so with the repaired recipe', () => {
    const removeAll: VepcDriverRecipes['removeAll'] = (...parts) => new LockingRemoveAll(...parts);
    expect(statesOf(failingFault({ removeAll }))).toEqual(['kept', 'no page']);
  });
});

/** Two CPUs of a VMM call REMOVE_ALL for an instance that holds a SECS and its child. */
const twoRemoveAlls = guestCase('two REMOVE_ALL', () => {
  const guests = new Guests({ epcPages: 4, cpus: 2 });
  const vepc = guests.open(2);
  guests.enclave(guests.at(vepc, 0), guests.at(vepc, 1));
  const left: number[] = [];
  const removeAll = function* (cpu: number): Routine<void> {
    left[cpu] = yield* guests.driver.removeAll.run(guests.thread(cpu), vepc);
  };
  return { guests, routines: [removeAll(0), removeAll(1)], state: () => `${left}` };
});

describe('two REMOVE_ALL at once (V-06)', () => {
  const bounded = { strategy: 'dfs', preemptions: 2 } as const;

  it('get EBUSY from EREMOVEs that overlap', () => {
    const { finding, finalStates } = explore(twoRemoveAlls, { ...bounded, overlaps: true });
    expect(finding).toBeNull();
    expect([...finalStates].some((state) => state.includes(`${-Errno.EBUSY}`))).toBe(true);
  });

  it('and never if leaves are atomic', () => {
    const { finding, finalStates } = explore(twoRemoveAlls, bounded);
    expect(finding).toBeNull();
    expect([...finalStates].join()).not.toContain('-');
  });
});
