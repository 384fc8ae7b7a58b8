import { describe, expect, it } from 'vitest';
import type { Case, StrategyName } from '../src/index.js';
import { compareReductions, explore, replay } from '../src/index.js';
import * as litmus from './litmus.js';

const strategies: StrategyName[] = ['dfs', 'sleepSets', 'dpor'];

function findingsOf(subject: Case): (string | undefined)[] {
  return strategies.map((strategy) => explore(subject, { strategy }).finding?.kind);
}

/** Executions by strategy of a search that finds nothing wrong, after the searches were compared. */
function cleared(subject: Case): Record<string, number> {
  const { differences, results } = compareReductions(subject);
  expect(differences).toEqual([]);
  const counts: Record<string, number> = {};
  for (const [name, result] of results) {
    expect([name, result.status]).toEqual([name, 'exhausted']);
    counts[name] = result.executions;
  }
  return counts;
}

describe('finds', () => {
  it.each([
    ['a lost update', litmus.lostUpdate, 'violation'],
    ['locks taken in opposite orders', litmus.oppositeLocks, 'violation'],
    ['a deadlock without a broken lock order', litmus.graceUnderMutex, 'deadlock'],
    ['an unannounced access', litmus.unannounced, 'violation'],
    ['an unordered plain access', litmus.plainAccess(false), 'race'],
    ['a retry that nobody can help', litmus.retryUntilFree(2, 1), 'no-progress'],
    ['a lost wake-up', litmus.sleepUntilSet(true), 'violation'],
    ['a use after free', litmus.unlinkAndFree(false), 'violation'],
  ] as const)('%s, with every strategy', (_, subject, kind) => {
    expect(findingsOf(subject)).toEqual([kind, kind, kind]);
  });

  it('the deadlock of opposite locks where the order check has seen only one order yet', () => {
    const { fault } = replay(litmus.oppositeLocks, '1*2 2*2');
    expect(fault).toMatchObject({ kind: 'deadlock', error: { message: 'A, B wait for each other.' } });
  });
});

describe('clears', () => {
  it.each([
    ['an atomic addition', litmus.atomicAdd, { dfs: 6, sleepSets: 1, dpor: 1 }],
    ['a counter under a lock', litmus.lockedCounter(2), { dfs: 10, sleepSets: 2, dpor: 2 }],
    ['ordered plain accesses', litmus.plainAccess(true), { dfs: 10, sleepSets: 2, dpor: 2 }],
    ['a retry that somebody helps', litmus.retryUntilFree(1, 1), { dfs: 10, sleepSets: 3, dpor: 3 }],
    ['a wake-up', litmus.sleepUntilSet(false), { dfs: 10, sleepSets: 4, dpor: 4 }],
    ['readers and a writer', litmus.readersAndWriter, { dfs: 90, sleepSets: 4, dpor: 4 }],
    ['an IPI round', litmus.ipiRound, { dfs: 21, sleepSets: 2, dpor: 2 }],
    ['a free after a grace period', litmus.unlinkAndFree(true), { dfs: 19, sleepSets: 5, dpor: 5 }],
  ] as const)('%s', (_, subject, executions) => {
    expect(cleared(subject)).toEqual(executions);
  });

  it('counters under a lock in as many traces as there are orders of the threads', () => {
    const { results, differences } = compareReductions(litmus.lockedCounter(4), { bruteForce: false });
    expect(differences).toEqual([]);
    expect(results.get('dpor')).toMatchObject({ executions: 24, status: 'exhausted' });
    expect(results.get('dpor')?.traces.size).toBe(24);
    expect(results.get('sleepSets')?.executions).toBe(24);
  });
});
