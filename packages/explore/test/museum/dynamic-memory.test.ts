import { describe, expect, it } from 'vitest';
import { explore } from '../../src/index.js';
import { ADDED_AGAIN, removeAndFault, twoFaults, WELL } from './dynamic-memory.js';

// Linux has these two to this day: patches were proposed in 2024 and not merged.
describe('dynamic memory', () => {
  it('B-42: of two threads that touch a new page at once, one is killed', { timeout: 120_000 }, () => {
    const { finding, marks } = explore(twoFaults, { strategy: 'dfs', preemptions: 1 });
    expect(finding?.error.message).toBe('A thread is killed for a page that exists.');
    expect(marks.get(WELL)).toBeGreaterThan(0);
  });

  it('B-43: a fault while a page is removed leaves an entry to a free page', { timeout: 120_000 }, () => {
    const { finding } = explore(removeAndFault, { strategy: 'dfs', preemptions: 1 });
    expect(finding?.error.message).toBe('The final state is wrong.');
    const error = finding?.error as { readonly details?: readonly string[] } | undefined;
    expect(error?.details?.join()).toContain('I-8');
  });

  it('without a preemption both go well', () => {
    expect(explore(twoFaults, { strategy: 'dfs', preemptions: 0 })).toMatchObject({ finding: null });
    const removed = explore(removeAndFault, { strategy: 'dfs', preemptions: 0 });
    expect(removed).toMatchObject({ finding: null });
    expect(removed.marks.get(ADDED_AGAIN)).toBeGreaterThan(0);
  });

  it('nothing else goes wrong: no read without order ends the search early', { timeout: 120_000 }, () => {
    const all = { strategy: 'dfs', preemptions: 2, stopAtFinding: false } as const;
    expect(explore(twoFaults, all)).toMatchObject({ limit: 'preemptions' });
    expect(explore(removeAndFault, all)).toMatchObject({ limit: 'preemptions' });
  });
});
