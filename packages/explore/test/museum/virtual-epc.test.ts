import type { Routine } from '@epckit/interface';
import { Errno, NONE, OwnerKind } from '@epckit/interface';
import type { VepcDriverRecipes } from '@epckit/vepc';
import { LockingRemoveAll } from '@epckit/vepc/recipes';
import { describe, expect, it } from 'vitest';
import type { Case } from '../../src/index.js';
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

  it('of two closes, SECS in one instance and child in the other (S-06), loses nothing', () => {
    const closing = guestCase('two closes', () => {
      const guests = new Guests({ epcPages: 4, cpus: 2 });
      const [a, b] = [guests.open(2), guests.open(2)];
      guests.enclave(guests.at(a, 0), guests.at(b, 1));
      for (const vepc of [a, b]) guests.unmap(vepc);
      return {
        guests,
        routines: [a, b].map((vepc, cpu) => guests.driver.release(guests.thread(cpu), vepc)),
        state: () => `zombies ${guests.driver.zombies.all()}; free ${[...guests.free()].sort()}`,
      };
    });
    expect(statesOf(closing)).toEqual(['zombies 0; free 1,2,3', 'zombies ; free 0,1,2,3']);
  });

  it('of REMOVE_ALL and a close of another instance of the enclave (S-07) gives 0 or 1', () => {
    const removing = guestCase('REMOVE_ALL and close', () => {
      const guests = new Guests({ epcPages: 4, cpus: 2 });
      const [a, b] = [guests.open(2), guests.open(2)];
      guests.enclave(guests.at(a, 0), guests.at(b, 1));
      guests.unmap(b);
      let left: number = NONE;
      const removeAll = function* (): Routine<void> {
        left = yield* guests.driver.removeAll.run(guests.thread(0), a);
      };
      return {
        guests,
        routines: [removeAll(), guests.driver.release(guests.thread(1), b)],
        state: () => `${left}`,
      };
    });
    expect(statesOf(removing)).toEqual(['0', '1']);
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
