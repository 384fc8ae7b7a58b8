import { epckit, linux6 } from 'epckit';
import { describe, expect, it } from 'vitest';
import { explore } from '../../src/index.js';
import {
  ADDED_AGAIN,
  convertAndFault,
  MEANWHILE,
  removeAndFault,
  twoFaults,
  WELL,
} from './dynamic-memory.js';

const within = { strategy: 'dfs', preemptions: 1 } as const;

// Linux has these three to this day: patches were proposed in 2024 and not merged.
describe('dynamic memory under linux-6', () => {
  it('B-42: of two threads that touch a new page at once, one is killed', { timeout: 120_000 }, () => {
    const { finding, marks } = explore(twoFaults(linux6), within);
    expect(finding?.error.message).toBe('A thread is killed for a page that exists.');
    expect(marks.get(WELL)).toBeGreaterThan(0);
  });

  it('B-43: a fault while a page is removed leaves an entry to a free page', { timeout: 120_000 }, () => {
    expect(explore(removeAndFault(linux6), within).finding?.error.message).toContain('I-8');
  });

  it('B-44: a fault maps a page again that is about to become a TCS', { timeout: 120_000 }, () => {
    const { finding } = explore(convertAndFault(linux6), within);
    expect(finding?.error.message).toBe('The page is mapped when EMODT changes it.');
  });

  it('without a preemption all go well', () => {
    const none = { strategy: 'dfs', preemptions: 0 } as const;
    for (const subject of [twoFaults(linux6), removeAndFault(linux6), convertAndFault(linux6)]) {
      expect(explore(subject, none)).toMatchObject({ finding: null });
    }
    expect(explore(removeAndFault(linux6), none).marks.get(ADDED_AGAIN)).toBeGreaterThan(0);
  });

  it('nothing else goes wrong: no read without order ends the search early', { timeout: 120_000 }, () => {
    const all = { strategy: 'dfs', preemptions: 2, stopAtFinding: false } as const;
    for (const subject of [twoFaults(linux6), removeAndFault(linux6), convertAndFault(linux6)]) {
      expect(explore(subject, all)).toMatchObject({ limit: 'preemptions' });
    }
  });
});

describe('dynamic memory under epckit', () => {
  it('B-42: the second fault finds what the first one has added', { timeout: 60_000 }, () => {
    const result = explore(twoFaults(epckit));
    expect(result).toMatchObject({ status: 'exhausted', finding: null });
    expect([...result.finalStates]).toEqual(['true']);
  });

  it.each([
    ['B-43', removeAndFault],
    ['B-44', convertAndFault],
  ])('%s: a fault waits while the ioctl has dropped the lock', { timeout: 60_000 }, (_, subject) => {
    const result = explore(subject(epckit));
    expect(result).toMatchObject({ status: 'exhausted', finding: null });
    expect(result.marks.get(MEANWHILE), 'the window is entered').toBeGreaterThan(0);
  });
});
