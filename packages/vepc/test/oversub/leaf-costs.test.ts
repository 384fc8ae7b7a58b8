import type { CostKey, CostName } from '@epckit/interface';
import { Cost, costNames } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import { building, type Cell, Program } from './program.js';

const CELLS: readonly Cell[] = [
  { section: 1, page: 0 },
  { section: 0, page: 0 },
  { section: 0, page: 1 },
  { section: 1, page: 1 },
  { section: 1, page: 2 },
];

/** What a routine of the host has paid for, and which leaves it has executed. */
function hostWork(work: (program: Program) => void, isEvicted: boolean) {
  const program = new Program({});
  const { stack } = program;
  for (const it of building) program.step(it);
  if (isEvicted) stack.evictAll();
  const paid = (key: CostKey) => stack.threads.reduce((sum, { counts }) => sum + (counts[key] as number), 0);
  const before = costNames.map((name) => paid(Cost[name]));
  stack.log.clear();
  work(program);
  const leaves = stack.log.take().map((line) => line.split(' '));
  return {
    paid: (name: CostName) => paid(Cost[name]) - (before[Cost[name]] as number),
    executed: (name: string, ...results: string[]) =>
      leaves.filter(([leaf, , result = '0']) => leaf === name && results.includes(result)).length,
  };
}

function evictAll({ stack }: Program): void {
  expect(stack.evictAll()).toBe(0);
}

function loadAll(program: Program): void {
  const { stack } = program;
  for (const cell of CELLS) {
    const { vepc, page } = program.at(cell);
    stack.run(stack.oversub.violation(stack.thread(), stack.mm, vepc, page));
  }
}

describe('a host that takes all pages of a guest pays for', () => {
  const work = hostWork(evictAll, false);

  it.each(['ERDINFO', 'EBLOCK', 'EINCVIRTCHILD', 'EWB'] as const)('each %s', (name) => {
    expect(work.executed(name, '0')).toBeGreaterThan(0);
    expect(work.paid(name)).toBe(work.executed(name, '0'));
  });

  it('each ETRACKC as for an ETRACK', () => {
    expect(work.paid('ETRACK')).toBe(work.executed('ETRACKC', '0'));
    expect(work.paid('ETRACK')).toBeGreaterThan(0);
  });

  it('each EWB that is refused for want of tracking as a refusal', () => {
    const NOT_TRACKED = '11';
    expect(work.paid('EWB_REFUSED')).toBe(work.executed('EWB', NOT_TRACKED));
    expect(work.paid('EWB_REFUSED')).toBeGreaterThan(0);
  });
});

describe('a host that gives a guest its pages back pays for', () => {
  const work = hostWork(loadAll, true);

  it.each(['EDECVIRTCHILD', 'ESETCONTEXT'] as const)('each %s', (name) => {
    expect(work.executed(name, '0')).toBeGreaterThan(0);
    expect(work.paid(name)).toBe(work.executed(name, '0'));
  });

  it('each ELDUC as for an ELDU', () => {
    expect(work.executed('ELDUC', '0')).toBe(CELLS.length);
    expect(work.paid('ELDU')).toBe(CELLS.length);
  });
});
