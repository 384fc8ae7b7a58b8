import { describe, expect, it } from 'vitest';
import { explore } from '../../src/index.js';
import { accessPathCase, HIT, OUTSIDE, RELOADED } from './access-path.js';

// Two preemptions are enough for the defect that these cases were made for: after the walk the EPCM was asked with
// the enclave's record and SECS, which a batch may be changing. The first case was once exhausted by dpor (26,597
// executions, half a minute).
const bounded = { strategy: 'dfs', preemptions: 2 } as const;

describe('an access beside a batch that evicts page, TCS and SECS', () => {
  it('reads nothing that is unordered, from outside', { timeout: 120_000 }, () => {
    const result = explore(accessPathCase('access from outside', { isInside: false }), bounded);
    expect(result).toMatchObject({ limit: 'preemptions', finding: null });
    expect(result.marks.get(HIT), 'the entry is found during the batch').toBeGreaterThan(0);
    expect(result.marks.get(RELOADED), 'the page comes back during the batch').toBeGreaterThan(0);
  });

  it('reads nothing that is unordered, from inside, and tells when the thread stays outside', {
    timeout: 120_000,
  }, () => {
    const result = explore(accessPathCase('access from inside', { isInside: true }), bounded);
    expect(result).toMatchObject({ limit: 'preemptions', finding: null });
    expect(result.marks.get(HIT), 'the entry is found during the batch').toBeGreaterThan(0);
    expect(result.marks.get(RELOADED), 'the page comes back during the batch').toBeGreaterThan(0);
    expect(result.marks.get(OUTSIDE), 'the TCS is gone at ERESUME').toBeGreaterThan(0);
  });
});
