import { describe, expect, it } from 'vitest';
import { mutants } from '../../../vepc/test/oversub/mutants.js';
import type { Execution } from '../../src/execution.js';
import { runOnce } from '../../src/execution.js';
import type { Case, Finding } from '../../src/index.js';
import { explore, formatFinding } from '../../src/index.js';
import * as cases from './guest-cases.js';
import { Pct } from './pct.js';

/** Preemptions in the searches; the full size is 2. */
const PREEMPTIONS = Number(process.env['EPCKIT_GUEST_PREEMPTIONS'] ?? 1);
/** Schedules by chance; the full size is 100000. */
const RUNS = Number(process.env['EPCKIT_GUEST_PCT'] ?? 200);
/** Steps of a long execution of the long program. */
const STEPS = 600;

const timeout = { timeout: 7_200_000 };

const text = (finding: Finding | null): string | null => finding && formatFinding(finding);

/** One schedule; depths 2 to 4 in turn, and every second one lets leaves overlap. */
function run(subject: Case, seed: number): Execution {
  const schedule = new Pct({ seed, depth: 2 + (seed % 3), steps: STEPS, mayOverlap: seed % 2 === 0 });
  return runOnce(subject, schedule, { maxSteps: 20_000, onStep: () => {} });
}

describe('two VMs and two reclaimers, SECS and children in different instances (S-12)', () => {
  const { twoReclaimers, crossing, loading, removing, everybody } = cases;

  it.each([twoReclaimers, crossing(), loading, removing()])(
    '$name: no order is wrong',
    timeout,
    (subject) => {
      const result = explore(subject, { strategy: 'dfs', preemptions: PREEMPTIONS });
      expect(text(result.finding)).toBe(null);
      expect(result.limit).toBe('preemptions');
    },
  );

  it('both guests beside both reclaimers: no order is wrong', timeout, () => {
    // One preemption fewer than above: four threads have ten times as many orders.
    const result = explore(everybody, { strategy: 'dfs', preemptions: PREEMPTIONS - 1 });
    expect(text(result.finding)).toBe(null);
  });

  it('a longer program: no schedule by chance is wrong', timeout, () => {
    const subject = cases.longCase();
    for (let seed = 1; seed <= RUNS; seed++) {
      const { fault } = run(subject, seed);
      expect([seed, fault?.kind, fault?.error.message]).toEqual([seed, undefined, undefined]);
    }
  });

  it('a count after the write (V-29) is found with one preemption', timeout, () => {
    const { finding } = explore(removing(mutants['V-29']), { strategy: 'dfs', preemptions: 1 });
    expect(text(finding)).toContain('OS-1 Page 0 of instance 1000 has VIRTCHILDCNT 0, not 1 to 2.');
  });

  it('a forgotten cookie (V-32) is found by chance', timeout, () => {
    const subject = cases.longCase(mutants['V-32']);
    let fault: Execution['fault'] = null;
    for (let seed = 1; seed <= 200 && fault === null; seed++) ({ fault } = run(subject, seed));
    expect(fault?.kind).toBe('violation');
  });
});
