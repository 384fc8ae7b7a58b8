import type { PageIndex, Routine } from '@epckit/interface';
import { Blocked, Errno, Prepared, SgxCode, Written } from '@epckit/interface';
import { createMemoryFailure } from '@epckit/numa';
import { describe, expect, it } from 'vitest';
import type { OversubRecipes } from '../../src/index.js';
import { Eviction, GuestState, kvmOversub } from '../../src/index.js';
import { GuestFaults } from '../../src/recipes.js';
import type { Cell, Step } from './program.js';
import { building, Program } from './program.js';
import { everyWindow } from './windows.js';

const SECS: Cell = { section: 0, page: 0 };
const THREAD: Cell = { section: 0, page: 1 };
const DATA: Cell = { section: 1, page: 1 };
const MORE: Cell = { section: 1, page: 2 };
const VERSIONS: Cell = { section: 1, page: 0 };
const readData: Step = { do: 'read', at: DATA, secs: SECS, linear: 1 };

function built(recipes: OversubRecipes = {}, ...evicted: readonly Cell[]): Program {
  const program = new Program({ recipes });
  for (const it of building) program.step(it);
  for (const cell of evicted) expect(program.stack.evict(program.at(cell))).toBe(Eviction.EVICTED);
  return program;
}

const epc = (program: Program, cell: Cell): PageIndex => program.at(cell).vepc.pages.get(cell.page);

/** An eviction by hand: a memory error comes after the page was unmapped and before it is written. */
function evictBad(program: Program, cell: Cell): number {
  const { stack } = program;
  const { owner } = stack.oversub;
  const thread = stack.thread(-1);
  const page = epc(program, cell);
  expect(stack.run(stack.lists.unmark(thread, page), -1)).toBe(0);
  expect(owner.get(thread, page)).toBe(0);
  expect(stack.run(owner.prepare(thread, page), -1)).toBe(Prepared.READY);
  expect(stack.run(owner.block(thread, page), -1)).toBe(Blocked.OK);
  stack.frames.setPoisoned(page);
  stack.log.clear();
  const written = stack.run(owner.write(thread, page), -1);
  if (written === Written.BUSY) stack.run(stack.lists.mark(thread, page), -1);
  expect(owner.put(thread, program.at(cell).vepc.id)).toBe(false);
  return written;
}

/** Everything goes; the bad page is on the poison list. */
function expectEnd(program: Program, bad: PageIndex): void {
  const { stack } = program;
  stack.end();
  expect(stack.frames.listOf(bad)).toBe(stack.pools.lists.poison(0));
  expect(stack.violations()).toEqual([]);
}

describe('a memory error between the unmapping of a page and its write', () => {
  for (const { name, cell, out } of [
    { name: 'a child', cell: DATA, out: [] },
    { name: 'a version array page of the guest', cell: VERSIONS, out: [] },
    { name: 'a SECS without children in the EPC', cell: SECS, out: [THREAD, DATA, MORE] },
  ]) {
    it(`${name} is not written and stays lost until the end`, () => {
      const program = built({}, ...out);
      const { stack } = program;
      const bad = epc(program, cell);
      expect(evictBad(program, cell)).toBe(Written.BUSY);
      expect(stack.log.leaves.filter((line) => line.startsWith('EWB'))).toEqual([]);
      expect(stack.state(program.at(cell))).toBe(GuestState.LOST);
      expect(stack.violations()).toEqual([]);
      // The next look takes it off the list, and nobody comes back.
      expect([stack.evict(program.at(cell)), stack.evict(program.at(cell))]).toEqual([
        Eviction.KEPT,
        Eviction.KEPT,
      ]);
      expect(program.step({ do: 'eblock', at: cell })).toBe('eblock -7');
      expect(stack.instance(program.at(cell).vepc).isDead).toBe(false);
      expectEnd(program, bad);
    });
  }

  it('the published branch writes it', () => {
    const program = built(kvmOversub);
    expect(evictBad(program, DATA)).toBe(Written.FREED);
    expect(program.stack.log.leaves.some((line) => line.startsWith('EWB'))).toBe(true);
  });

  it('a reboot gives the guest another page', () => {
    const program = built();
    const { stack, sections } = program;
    const bad = epc(program, DATA);
    evictBad(program, DATA);
    const ends = [0, 1, 0].map((section) =>
      stack.run(stack.driver.removeAll.run(stack.thread(), sections[section as 0 | 1])),
    );
    expect(ends).toEqual([1, 0, 0]);
    expect(stack.frames.listOf(bad)).toBe(stack.pools.lists.poison(0));
    for (const it of building) expect(program.step(it)).toMatch(/ 0$/);
    expect(program.step(readData)).toBe('read 0: 2 3 false 102');
    expect(stack.violations()).toEqual([]);
    expectEnd(program, bad);
  });

  it('nobody is told to come again for it', () => {
    const program = built();
    evictBad(program, DATA);
    const { vepc, page } = program.at(DATA);
    expect(program.stack.instance(vepc).records.isLeft(page)).toBe(false);
  });

  it.each(['a batch', 'an eviction'])('a reboot gives another page, though %s has it', (what) => {
    const results: number[] = [];
    class Counting extends GuestFaults {
      protected override *lost(...subject: Parameters<GuestFaults['lost']>): Routine<number> {
        const result = yield* super.lost(...subject);
        results.push(result);
        return result;
      }
    }
    const seen = new Set<string>();
    everyWindow(
      () => {
        const program = new Program({ checking: true, recipes: { faults: (parts) => new Counting(parts) } });
        for (const it of building) program.step(it);
        const { stack, sections } = program;
        const bad = epc(program, DATA);
        // Else the batch would find all pages young.
        for (const vepc of sections) {
          for (let page = 0; page < vepc.pageCount; page++)
            stack.mm.table(vepc.id)?.testAndClearYoung(stack.thread(), page);
        }
        const { frames, pools } = stack;
        const failure = createMemoryFailure({ frames, pools, reclaimLists: () => null });
        const reboot = function* (): Routine<void> {
          yield* failure.report(stack.thread(), bad);
          yield* stack.driver.removeAll.run(stack.thread(), sections[1]);
          seen.add(`${yield* program.run(stack.thread(), { do: 'eblock', at: DATA })}`);
        };
        const thread = stack.thread(-1);
        const isBatch = what === 'a batch';
        const routine: Routine<unknown> = isBatch
          ? stack.reclaimer.batch(thread)
          : stack.oversub.evict(thread, program.at(DATA));
        return {
          stack,
          first: { thread, routine },
          second: { thread: stack.thread(), routine: reboot() },
        };
      },
      ({ stack }) => expect(stack.violations()).toEqual([]),
    );
    expect([...seen]).toEqual([`${SgxCode.PG_INVLD}`]);
    // The guest waits for the batch; who evicts the page alone lets go of it before.
    expect(new Set(results)).toEqual(new Set(what === 'a batch' ? [-Errno.EAGAIN, 0] : []));
  });

  it('the killer gives it back', () => {
    const program = built();
    const { stack, sections } = program;
    const bad = epc(program, DATA);
    evictBad(program, DATA);
    const { owner } = stack.oversub;
    expect(owner.get(stack.thread(), epc(program, MORE))).toBe(0);
    stack.run(owner.kill(stack.thread(), sections[1].id));
    expect(stack.frames.listOf(bad)).toBe(stack.pools.lists.poison(0));
    expectEnd(program, bad);
  });
});

describe('a memory error in a page that a reclaimer has left', () => {
  /** EWB conflicts, so that the page stays unmapped for another batch. */
  function left(): Program {
    let isBusy = false;
    const program = new Program({
      leaves: (real) => ({ ewb: (...operands) => (isBusy ? 7 : real.ewb(...operands)) }),
    });
    for (const it of building) program.step(it);
    isBusy = true;
    expect(program.stack.evict(program.at(DATA))).toBe(Eviction.BUSY);
    isBusy = false;
    program.stack.frames.setPoisoned(epc(program, DATA));
    return program;
  }

  it('the next batch takes it off the list, and the guest does not wait for it', () => {
    const program = left();
    expect(program.stack.evict(program.at(DATA))).toBe(Eviction.KEPT);
    expect(program.stack.state(program.at(DATA))).toBe(GuestState.LOST);
    expect(program.step(readData)).toBe('read -7');
  });

  it('nor does it if the error has taken the page off the list', () => {
    const program = left();
    const { stack } = program;
    stack.run(stack.lists.unmark(stack.thread(), epc(program, DATA)));
    expect(program.step(readData)).toBe('read -7');
    expect(stack.state(program.at(DATA))).toBe(GuestState.LOST);
    expectEnd(program, epc(program, DATA));
  });

  it('nor if a batch has prepared it before the error', () => {
    const program = left();
    const { stack } = program;
    const { owner } = stack.oversub;
    const page = epc(program, DATA);
    expect(owner.get(stack.thread(-1), page)).toBe(0);
    program.step(readData);
    expect(stack.run(owner.block(stack.thread(-1), page), -1)).toBe(Blocked.DEAD);
    stack.run(stack.lists.unmark(stack.thread(-1), page), -1);
    expect(owner.put(stack.thread(-1), program.at(DATA).vepc.id)).toBe(false);
    expectEnd(program, page);
  });
});
