import { SgxCode } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import { Eviction } from '../../src/index.js';
import type { Cell } from './program.js';
import { building, Program } from './program.js';

const SECS: Cell = { section: 0, page: 0 };
const THREAD: Cell = { section: 0, page: 1 };
const DATA: Cell = { section: 1, page: 1 };
const MORE: Cell = { section: 1, page: 2 };
const VERSIONS: Cell = { section: 1, page: 0 };

/** Two children in the second section are evicted; EDECVIRTCHILD fails so often from then on. */
function withConflicts(conflicts: number): Program {
  let left = 0;
  const program = new Program({
    leaves: (real) => ({
      edecvirtchild: (...operands) =>
        left-- > 0 ? SgxCode.EPC_PAGE_CONFLICT : real.edecvirtchild(...operands),
    }),
  });
  for (const it of building) program.step(it);
  for (const cell of [DATA, MORE]) expect(program.stack.evict(program.at(cell))).toBe(Eviction.EVICTED);
  left = conflicts;
  return program;
}

/** The VMM empties the second section. */
function empty({ stack, sections }: Program): void {
  expect(stack.run(stack.driver.removeAll.run(stack.thread(), sections[1]))).toBe(0);
}

/** VIRTCHILDCNT of the SECS, and what its record owes. */
function counts(program: Program): readonly [number, number] {
  const { vepc, page } = program.at(SECS);
  const { stack } = program;
  return [stack.hardware.virtualChildren(vepc.pages.get(page)), stack.instance(vepc).records.owed(page)];
}

describe('children that are dropped while the SECS is in the EPC', () => {
  it.each([
    [0, 'no conflict'],
    [9, 'conflicts that end'],
    [15, 'conflicts that end when the guest was interrupted'],
  ])('are counted down at once: %i, %s', (conflicts) => {
    const program = withConflicts(conflicts);
    empty(program);
    expect(counts(program)).toEqual([0, 0]);
    expect(program.stack.violations()).toEqual([]);
  });

  it('interrupt the guest if it is in the way', () => {
    const program = withConflicts(10);
    const { stack, guest } = program;
    expect(stack.run(guest.eenter(stack.thread(1), program.at(THREAD), 0x1000), 1)).toBe(0);
    empty(program);
    expect(stack.hardware.insideOf(1)).toBe(-1);
  });

  it('are owed if the guest does not let go, and counted down with the next child that goes', () => {
    const program = withConflicts(20);
    const { stack } = program;
    empty(program);
    // The first was owed; with the second both were counted down.
    expect(counts(program)).toEqual([0, 0]);
    const hammered = withConflicts(40);
    empty(hammered);
    expect(counts(hammered)).toEqual([2, 2]);
    expect(hammered.stack.violations()).toEqual([]);
    expect(hammered.stack.evict(hammered.at(THREAD))).toBe(Eviction.EVICTED);
    expect(counts(hammered)).toEqual([1, 0]);
    expect([...stack.violations(), ...hammered.stack.violations()]).toEqual([]);
  });

  it('are counted down when the SECS comes back from the backing store', () => {
    const program = withConflicts(40);
    const { stack } = program;
    empty(program);
    program.step({ do: 'eremove', at: THREAD });
    expect(stack.evict(program.at(SECS))).toBe(Eviction.EVICTED);
    expect(program.step({ do: 'eremove', at: SECS })).toBe('eremove 0');
    expect(stack.violations()).toEqual([]);
  });

  it.each(['REMOVE_ALL', 'a loss of power'])('are forgotten with %s', (what) => {
    const program = withConflicts(40);
    const { stack, sections } = program;
    empty(program);
    if (what === 'REMOVE_ALL') {
      for (const left of [1, 0]) {
        expect(stack.run(stack.driver.removeAll.run(stack.thread(), sections[0]))).toBe(left);
      }
    } else {
      stack.hardware.powerCycle();
      for (const vepc of sections) stack.run(stack.oversub.resume.run(stack.thread(), vepc));
    }
    for (const it of building) expect(program.step(it)).toMatch(/ 0$/);
    expect(counts(program)).toEqual([0, 0]);
    expect(stack.evict(program.at(DATA))).toBe(Eviction.EVICTED);
    expect(counts(program)).toEqual([1, 0]);
    expect(stack.evict(program.at(VERSIONS))).toBe(Eviction.EVICTED);
    expect(stack.violations()).toEqual([]);
  });
});
