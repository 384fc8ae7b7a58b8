import { describe, expect, it } from 'vitest';
import { explore, formatFinding } from '../../src/index.js';
import type { GuestWorld } from './guest-scenarios.js';
import * as cases from './guest-version-cases.js';

/** Preemptions in the searches; the full size is 2. */
const PREEMPTIONS = Number(process.env['EPCKIT_GUEST_PREEMPTIONS'] ?? 1);

const timeout = { timeout: 7_200_000 };

const searches = [
  { name: 'two evictions', subject: cases.writes(), preemptions: PREEMPTIONS },
  { name: 'an eviction beside a load', subject: cases.load(), preemptions: PREEMPTIONS },
  { name: 'two evictions beside a load', subject: cases.everything(), preemptions: PREEMPTIONS - 1 },
];

describe('version array pages of the host that leave the EPC for others: no order is wrong', () => {
  it.each(searches)('$name', timeout, ({ name, subject, preemptions }) => {
    const result = explore(subject, {
      strategy: 'dfs',
      preemptions,
      onStep: (_, world) => (world as GuestWorld).watch(),
    });
    expect(result.finding && formatFinding(result.finding)).toBe(null);
    expect(result.marks.has('reached')).toBe(true);
    expect(result.limit).toBe('preemptions');
    if (PREEMPTIONS > 1) console.log(`${name}: ${result.executions} executions`);
  });
});

const missing = [
  { name: 'two evictions', subject: cases.writes(cases.lettingGo), wrong: /No version slot is free/ },
  {
    name: 'an eviction beside a load',
    subject: cases.load(cases.lettingGo),
    wrong: /not in the EPC|No version slot/,
  },
];

describe('if others may take them before they are used, one preemption finds it', () => {
  it.each(missing)('$name', ({ subject, wrong }) => {
    const [never, once] = [0, 1].map(
      (preemptions) => explore(subject, { strategy: 'dfs', preemptions }).finding,
    );
    expect(never).toBe(null);
    expect(String(once?.error)).toMatch(wrong);
  });
});
