import { describe, expect, it } from 'vitest';
import type { Case, ExplorationResult } from '../../src/index.js';
import { explore, formatFinding } from '../../src/index.js';
import { fullOfGuest, fullOfNative } from './guest-neighbours.js';

/** Preemptions in the searches; the full size is 2. */
const PREEMPTIONS = Number(process.env['EPCKIT_GUEST_PREEMPTIONS'] ?? 1);

const timeout = { timeout: 7_200_000 };

function search(subject: Case, preemptions = PREEMPTIONS): ExplorationResult {
  const result = explore(subject, { strategy: 'dfs', preemptions });
  expect(result.finding && formatFinding(result.finding)).toBe(null);
  if (PREEMPTIONS > 1) console.log(`${subject.name}: ${result.executions} executions`);
  return result;
}

describe('a guest without host reclaim beside a native enclave, in every order', () => {
  it('S-04: waits for ksgxd while native pages fill the EPC', timeout, () => {
    const { finalStates, marks, executions } = search(fullOfNative(1));
    expect([...finalStates]).toEqual(['runs 1']);
    expect(marks.get('ksgxd woken')).toBe(executions);
  });

  it('S-02: gets one page for two virtual CPUs that wait for it', timeout, () => {
    const { finalStates, marks, executions } = search(fullOfNative(2), 1);
    expect([...finalStates]).toEqual(['runs,runs 1']);
    expect(marks.get('ksgxd woken')).toBe(executions);
  });

  it('S-05: is not reclaimed for the enclave: who comes last gets SIGBUS', timeout, () => {
    const { finalStates } = search(fullOfGuest());
    expect([...finalStates].sort()).toEqual([
      'enclave SIGBUS, guest runs',
      'enclave runs, guest runs',
      // The enclave's page is on no list yet.
      'enclave runs, guest stops',
    ]);
  });
});
