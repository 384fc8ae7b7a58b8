import type { Routine } from '@epckit/interface';
import { Errno, SgxCode } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import { Eviction, GuestState, VepcFaultResult } from '../../src/index.js';
import type { Cell, Step } from './program.js';
import { building, Program } from './program.js';
import { everyWindow } from './windows.js';

const SECS: Cell = { section: 0, page: 0 };
const THREAD: Cell = { section: 0, page: 1 };
const DATA: Cell = { section: 1, page: 1 };
const MORE: Cell = { section: 1, page: 2 };
const VERSIONS: Cell = { section: 1, page: 0 };
const readData: Step = { do: 'read', at: DATA, secs: SECS, linear: 1 };
const pageOut: Step = { do: 'pageOut', at: DATA, va: VERSIONS, slot: 0 };

/** Cells that the guest does not build its enclave in. */
const others: readonly Cell[] = [
  { section: 0, page: 2 },
  { section: 0, page: 3 },
  { section: 0, page: 4 },
  { section: 1, page: 3 },
  { section: 1, page: 4 },
];

describe('S-02: two virtual CPUs touch the same page while no EPC page is free', () => {
  it('both wait for an eviction; there is one page in the end', () => {
    const cell = others[0] as Cell;
    const touch: Step = { do: 'eremove', at: cell };
    let told: (number | string)[] = [];
    let program: Program;
    let before = 0;
    const count = everyWindow(
      () => {
        told = [];
        // Five pages of the guest and two version arrays.
        program = new Program({ epcPages: 7, checking: true });
        const { stack } = program;
        for (const it of building) program.step(it);
        expect(stack.pools.free).toBe(0);
        before = stack.reclaimer.batches.ended.value;
        const touching = function* (cpu: number): Routine<void> {
          told.push(yield* program.run(stack.thread(cpu), touch));
        };
        return {
          stack,
          first: { thread: stack.thread(0), routine: touching(0) },
          second: { thread: stack.thread(1), routine: touching(1) },
        };
      },
      ({ stack }) => {
        expect([told, stack.state(program.at(cell)), stack.violations()]).toEqual([
          [0, 0],
          GuestState.PRESENT,
          [],
        ]);
        expect(stack.reclaimer.batches.ended.value).toBeGreaterThan(before);
        expect(program.step(readData)).toBe('read 0: 2 3 false 102');
      },
    );
    expect(count).toBeGreaterThan(20);
  });
});

describe('S-16: no EPC page for the SECS that a child needs', () => {
  /** SECS and children are out, and everything else is taken. */
  function full(): Program {
    const program = new Program({ epcPages: 8 });
    const { stack } = program;
    for (const it of building) program.step(it);
    for (const cell of [DATA, MORE, THREAD, SECS]) {
      expect(stack.evict(program.at(cell))).toBe(Eviction.EVICTED);
    }
    for (const cell of others) expect(program.step({ do: 'epa', at: cell })).toBe('epa 0');
    expect(stack.pools.free).toBe(0);
    return program;
  }

  it('is reclaimed outside all locks; the child waits, and nothing is half done', () => {
    const program = full();
    const { stack, sections } = program;
    const { mm } = stack;
    const thread = stack.thread();
    const vma = mm.table(sections[1].id)?.vmaOf(DATA.page);
    if (vma === undefined) throw new Error('unmapped');
    const { ended } = stack.reclaimer.batches;
    const before = ended.value;
    const once = function* () {
      while (mm.lock.mustWaitRead(thread)) yield mm.lock.acquireRead;
      return yield* stack.driver.faults.fault(thread, mm, vma, sections[1], DATA.page);
    };
    expect(stack.run(once())).toBe(VepcFaultResult.RETRY);
    expect(ended.value).toBe(before + 1);
    expect([thread.held.length, stack.violations()]).toEqual([0, []]);
    expect(stack.instance(sections[0]).records.pins(SECS.page)).toBe(0);
    expect([stack.state(program.at(SECS)), stack.state(program.at(DATA))]).toEqual([
      GuestState.EVICTED,
      GuestState.EVICTED,
    ]);
    expect(program.step(readData)).toBe('read 0: 2 3 false 102');
    expect(stack.violations()).toEqual([]);
  });

  it('is fatal for the access if nothing can be reclaimed ever', () => {
    const program = full();
    const { stack, sections } = program;
    Object.assign(stack.allocator, {
      *alloc() {
        return -Errno.ENOMEM;
      },
    });
    const fault = stack.oversub.violation(stack.thread(), stack.mm, sections[1], DATA.page);
    expect(stack.run(fault)).toBe(VepcFaultResult.SIGBUS);
    expect([stack.thread().held.length, stack.violations()]).toEqual([0, []]);
  });
});

describe('S-10: a page that the guest has blocked', () => {
  it('comes back blocked, and its own EWB goes on as if it had never been away', () => {
    const program = new Program();
    const { stack } = program;
    for (const it of building) program.step(it);
    program.step({ do: 'eblock', at: DATA });
    expect(stack.evict(program.at(DATA))).toBe(Eviction.EVICTED);
    stack.log.clear();
    expect(program.step({ do: 'eblock', at: DATA })).toBe(`eblock ${SgxCode.BLSTATE}`);
    expect(stack.log.leaves.join()).toMatch(/ELDBC/);
    expect(program.step(pageOut)).toMatch(new RegExp(`^pageOut ${SgxCode.BLSTATE} 0 0 `));
    expect(program.step({ do: 'load', at: DATA, secs: SECS, va: VERSIONS, slot: 0, isBlocked: false })).toBe(
      'load 0',
    );
    expect(program.step(readData)).toBe('read 0: 2 3 false 102');
    expect(stack.violations()).toEqual([]);
  });
});
