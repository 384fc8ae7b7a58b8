import { describe, expect, it } from 'vitest';
import { build, events, play } from './play.js';

const full = [...build('A', 60), { op: 'create', encl: 'B', size_pages: 16, cpu: 1 }];
const add = { op: 'add', encl: 'B', page: 0, count: 3, cpu: 1 };

function stepsIn(record: Readonly<Record<string, unknown>> | undefined): unknown[] {
  return events(record).filter((event) => (event as unknown[])[0] === 'STEP');
}

describe('a preemption', () => {
  it('comes after the n-th call, once no lock is held', () => {
    const preempt = {
      op: 'preempt',
      after: 'EBLOCK',
      n: 3,
      steps: [
        ['t', 'A', 0, 2],
        ['t', 'A', 59, 2],
      ],
    };
    const { records, broken } = play([...full, preempt, add]);
    expect(records.at(-2)).toEqual({});
    expect(events(records.at(-1)).slice(2, 5)).toEqual([
      ['EBLOCK', '0:4', 'A', 2, 0],
      ['STEP', { r: 'RETRY_LIMIT', f: ['NOPAGE', 'NOPAGE', 'NOPAGE'] }],
      ['STEP', { r: 'OK', f: ['NOPAGE'], epc: '0:61' }],
    ]);
    expect(broken).toEqual([]);
  });

  it('may use the CPU that it interrupts, and end what it finds', () => {
    const steps = [['t', 'A', 30, 1, 1], { op: 'release', encl: 'A' }];
    const { records, broken } = play([
      ...full,
      { op: 'preempt', after: 'EWB', n: 3, steps },
      add,
      { ...add, page: 3 },
    ]);
    expect(stepsIn(records.at(-2))).toEqual([
      ['STEP', { r: 'OK', f: ['NOPAGE'], epc: '0:32', free: 1, nodes: [1] }],
      ['STEP', { r: 'STILL_OPEN' }],
    ]);
    expect(records.at(-2)).toMatchObject({ r: 0, count: 3 });
    expect(broken).toEqual([]);
  });

  it('that never comes is told', () => {
    const preempt = { op: 'preempt', after: 'EWB', n: 99, steps: [['t', 'A', 0]] };
    const { records } = play([...build('A', 2), preempt, ['t', 'A', 1], ['t', 'A', 1]]);
    expect(records.slice(-2)).toEqual([
      { r: 'OK', f: ['NOPAGE'], epc: '0:3', preempt_missed: 1 },
      { r: 'HIT' },
    ]);
  });

  it('lets the daemon be, whose batch it interrupts', () => {
    const preempt = { op: 'preempt', after: 'EBLOCK', n: 1, steps: [['t', 'A', 0, 1]] };
    const { records } = play([...build('A', 50), preempt, ['t', 'A', 49]], {
      ksgxd: 'auto',
      sections: [{ node: 0, pages: 52 }],
    });
    expect(records.at(-1)).toMatchObject({ r: 'OK' });
  });
});
