import { describe, expect, it } from 'vitest';
import type { Finding } from '../src/index.js';
import { explore, formatFinding, formatSchedule, parseSchedule, replay } from '../src/index.js';
import { graceUnderMutex, lostUpdate, retryUntilFree } from './litmus.js';

describe('schedule text', () => {
  it('is read as single steps and as run lengths', () => {
    expect(parseSchedule('1.1.2.1')).toEqual([1, 1, 2, 1]);
    expect(parseSchedule('1*2 2 1')).toEqual([1, 1, 2, 1]);
    expect(formatSchedule([1, 1, 2, 1])).toBe('1*2 2 1');
    expect(formatSchedule([])).toBe('');
  });

  it.each(['0', '1*0', 'A', '1**2'])('%s is refused', (text) => {
    expect(() => parseSchedule(text)).toThrow(/no part of a schedule/);
  });
});

describe('replay', () => {
  it('runs what it is told', () => {
    expect(replay(lostUpdate, '1*3 2*3')).toMatchObject({ fault: null, state: '2' });
    const { fault, trace } = replay(lostUpdate, '1.1.2.2.1.2');
    expect(fault).toMatchObject({ kind: 'violation', error: { message: 'count is 1, not 2.' } });
    expect(trace.map((step) => `${step.threadName} ${step.announced}`)).toEqual([
      'A start',
      'A read count',
      'B start',
      'B read count',
      'A write count',
      'B write count',
    ]);
  });

  it('refuses a schedule that does not fit', () => {
    const detailsOf = (schedule: string): unknown => {
      try {
        return replay(lostUpdate, schedule);
      } catch (error) {
        const { message, details } = error as { message: string; details: string[] };
        return [message, ...details];
      }
    };
    expect(detailsOf('1*3 1 2')).toEqual([
      'The schedule does not fit at step 4: thread 1 cannot run.',
      'can run: 2 (B)',
    ]);
    expect(detailsOf('1*3 2')).toEqual([
      'The schedule ends after 4 steps, the execution does not.',
      'can run: 2 (B)',
    ]);
    expect(detailsOf('1*3 2*3 2*2')).toEqual([
      'The schedule has 8 steps, the execution ended after 6.',
      'left over: 2*2',
    ]);
  });

  it('sees the finding of every strategy again', () => {
    for (const subject of [lostUpdate, graceUnderMutex, retryUntilFree(2, 1)]) {
      for (const strategy of ['dfs', 'sleepSets', 'dpor'] as const) {
        const { kind, schedule, error } = explore(subject, { strategy }).finding as Finding;
        const { fault } = replay(subject, formatSchedule(schedule));
        expect([fault?.kind, fault?.error.message]).toEqual([kind, error.message]);
      }
    }
  });
});

describe('report of a finding', () => {
  it('tells steps, threads, announcements, the error and how to see it again', () => {
    const finding = explore(graceUnderMutex, { strategy: 'dfs' }).finding as Finding;
    expect(formatFinding(finding)).toMatchInlineSnapshot(`
      "deadlock in 'grace period under a mutex' after 4 steps

      A (thread 1)
        1  start          A domain
      B (thread 2)
        2  start
        3  acquire mutex  W mutex
        4  write domain   W domain

      InvariantViolation: A, B wait for each other.
        A waits for mutex held by B, holds nothing
        B waits for domain held by A, holds mutex
      reproduce: replay(case 'grace period under a mutex', '1 2*3')"
    `);
    const command = (schedule: string, name: string): string => `run ${name}: ${schedule}`;
    expect(formatFinding(finding, { command })).toContain('reproduce: run grace period under a mutex: ');
  });
});
