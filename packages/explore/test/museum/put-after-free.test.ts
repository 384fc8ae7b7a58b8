import { describe, expect, it } from 'vitest';
import { OwnerStays } from '../../../numa/test/museum/owner-stays.js';
import { FreeBeforePut } from '../../../reclaim/test/museum/free-before-put.js';
import { explore, formatFinding, formatSchedule, replay } from '../../src/index.js';
import type { FullEpcOptions } from './full-epc.js';
import { fullEpcCase, REUSED } from './full-epc.js';

const pools: NonNullable<FullEpcOptions['recipes']>['pools'] = {
  createLists: (frames, locks, probe) => new OwnerStays(frames, locks, probe),
};
const recipes: FullEpcOptions['recipes'] = { batch: (components) => new FreeBeforePut(components), pools };
const judged = { recipes, onlyReferences: true, reportsRaces: false };
const broken = fullEpcCase('put after free', judged);

describe('B-01: a page is free before its owner is put', () => {
  it.each(['dpor', 'sleepSets'] as const)('is found by %s as a put on the wrong owner', (strategy) => {
    const result = explore(broken, { strategy });
    expect(result.status).toBe('found');
    expect(result.finding).toMatchObject({
      kind: 'violation',
      error: {
        details: [
          'enclave X has 3 references, its file and process hold 2',
          'enclave Y has 1 references, its file and process hold 2',
        ],
      },
    });
  });

  it('is found with a single preemption', () => {
    const result = explore(broken, { strategy: 'dfs', preemptions: 1 });
    expect(result.finding?.kind).toBe('violation');
    expect(result.executions).toBeLessThan(100);
  });

  it('is reported as an unordered access before anything goes wrong', () => {
    const result = explore(fullEpcCase('put after free', { recipes, onlyReferences: true }));
    expect(result.finding).toMatchObject({ kind: 'race' });
    expect(result.finding?.error.message).toMatch(/^Unordered access to frame\[\d\]\.$/);
  });

  it('prints the interleaving and the schedule that repeats it', () => {
    const { finding } = explore(broken);
    if (finding === null) throw new Error('nothing was found');
    const report = formatFinding(finding);
    expect(report).toContain('cpu0 (thread 1)');
    expect(report).toContain('acquire reclaimer_lock');
    expect(report).toContain(formatSchedule(finding.schedule));
    expect(replay(broken, finding.schedule).fault?.error.message).toBe(finding.error.message);
  });
});

describe('the repaired order: put, clear, then free', () => {
  it('is exhausted without a finding by two reductions that agree', { timeout: 240_000 }, () => {
    const subject = fullEpcCase('put before free');
    const dpor = explore(subject, { strategy: 'dpor' });
    const sleepSets = explore(subject, { strategy: 'sleepSets' });
    expect(dpor).toMatchObject({ status: 'exhausted', finding: null });
    expect(sleepSets).toMatchObject({ status: 'exhausted', finding: null });
    expect(dpor.executions).toBe(sleepSets.executions);
    expect([...dpor.finalStates].sort()).toEqual([...sleepSets.finalStates].sort());
    expect(dpor.finalStates.size).toBe(3);
    expect(dpor.marks.get(REUSED), 'the window is entered').toBeGreaterThan(0);
  });

  it('is clear in a pool that leaves the old owner in the record, as in 2018', { timeout: 120_000 }, () => {
    const result = explore(fullEpcCase('put before free', { recipes: { pools }, onlyReferences: true }));
    expect(result).toMatchObject({ status: 'exhausted', finding: null });
  });
});
