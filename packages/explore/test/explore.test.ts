import type { Routine, Thread } from '@epckit/interface';
import { InvariantViolation } from '@epckit/interface';
import { createMachine } from '@epckit/machine';
import { describe, expect, it } from 'vitest';
import type { Case, Finding } from '../src/index.js';
import { explore, formatFinding, replay } from '../src/index.js';
import { ipiRound, lockedCounter, lostUpdate, retryUntilFree } from './litmus.js';
import { castCase } from './threads.js';

/** `threads` threads of `steps` steps each that have nothing to do with each other. */
function independent(threads: number, steps: number): Case {
  return castCase('independent', (machine) => {
    function* routine(thread: Thread): Routine<void> {
      const own = machine.sharedNumber(`number of ${thread.name}`, 0);
      for (let step = 1; step < steps; step++) yield own.adding;
    }
    return { threads: Array.from({ length: threads }, () => routine), state: () => '' };
  });
}

function choose(n: number, k: number): number {
  return k === 0 ? 1 : (choose(n, k - 1) * (n - k + 1)) / k;
}

/**
 * Interleavings of two threads of `steps` steps with exactly `preemptions` preemptions. Every switch but the
 * one at a thread's end is a preemption, so there are two runs more than preemptions; the steps of a thread
 * are cut into as many parts as it has runs.
 */
function withPreemptions(steps: number, preemptions: number): number {
  const runs = preemptions + 2;
  return 2 * choose(steps - 1, Math.ceil(runs / 2) - 1) * choose(steps - 1, Math.floor(runs / 2) - 1);
}

describe('search without reduction', () => {
  it('meets every interleaving of independent steps: (n m)! / m!^n', () => {
    expect(explore(independent(2, 4), { strategy: 'dfs' })).toMatchObject({ executions: 70, longest: 8 });
    expect(explore(independent(3, 3), { strategy: 'dfs' })).toMatchObject({ executions: 1680, longest: 9 });
  });

  it('meets as many with a preemption bound as the closed form says', () => {
    let expected = 0;
    for (let preemptions = 0; preemptions <= 8; preemptions++) {
      expected += withPreemptions(5, preemptions);
      const result = explore(independent(2, 5), { strategy: 'dfs', preemptions });
      expect([preemptions, result.executions]).toEqual([preemptions, expected]);
      expect(result).toMatchObject(
        preemptions < 8 ? { status: 'bounded', limit: 'preemptions' } : { status: 'exhausted', limit: null },
      );
    }
    expect(expected).toBe(choose(10, 5));
  });

  it('finds the lost update with one preemption and not without', () => {
    expect(explore(lostUpdate, { strategy: 'dfs', preemptions: 0 }).status).toBe('bounded');
    expect(explore(lostUpdate, { strategy: 'dfs', preemptions: 1 }).status).toBe('found');
  });
});

describe('reductions', () => {
  it.each(['sleepSets', 'dpor'] as const)('%s: independent steps have one trace', (strategy) => {
    const result = explore(independent(3, 6), { strategy, countTraces: true });
    expect(result).toMatchObject({ status: 'exhausted', executions: 1, longest: 18 });
    expect(result.traces.size).toBe(1);
  });

  it('refuse a preemption bound', () => {
    expect(() => explore(lostUpdate, { strategy: 'dpor', preemptions: 2 })).toThrow(/cannot be combined/);
  });

  it('dpor gives up no more executions than it needs', () => {
    expect(explore(lockedCounter(4), { strategy: 'dpor' })).toMatchObject({ executions: 24, abandoned: 0 });
    expect(explore(retryUntilFree(2, 2), { strategy: 'dpor' })).toMatchObject({ executions: 534 });
  });
});

describe('search', () => {
  it('stops after so many executions', () => {
    const result = explore(independent(2, 4), { strategy: 'dfs', maxExecutions: 10 });
    expect(result).toMatchObject({ status: 'bounded', limit: 'executions', executions: 10 });
  });

  it('goes on after a finding if told to', () => {
    const result = explore(lostUpdate, { strategy: 'dfs', stopAtFinding: false });
    expect(result).toMatchObject({ status: 'found', limit: null, executions: 20 });
    expect([...result.finalStates].sort()).toEqual(['1', '2']);
  });

  it('calls an execution without end too long', () => {
    const endless = castCase('endless', (machine) => {
      const number = machine.sharedNumber('number', 0);
      function* routine(): Routine<void> {
        for (;;) yield number.reading;
      }
      return { threads: [routine] };
    });
    expect(explore(endless, { maxSteps: 50 }).finding).toMatchObject({
      kind: 'too-long',
      schedule: { length: 50 },
    });
  });

  it('counts the executions that reached a mark', () => {
    const { marks, executions } = explore(ipiRound, { strategy: 'dfs' });
    const left = marks.get('left during the round') ?? 0;
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThan(executions);
    const seen = explore(ipiRound, {
      strategy: 'dfs',
      onStep: (step, _, mark) => mark(`thread ${step.thread}`),
    });
    expect(seen.marks.get('thread 3')).toBe(executions);
    const reaching: Case = {
      name: 'reaching',
      setup: (mark) => ({ ...ipiRound.setup(mark), reached: () => true }),
    };
    expect(explore(reaching, { strategy: 'dfs' }).marks.get('reached')).toBe(executions);
  });

  it('refuses a case that does not do the same each time', () => {
    let worlds = 0;
    const moody = castCase('moody', (machine) => {
      worlds++;
      const number = machine.sharedNumber('number', 0);
      function* routine(): Routine<void> {
        yield number.writing;
        if (worlds < 3) yield number.writing;
      }
      return { threads: [routine, routine] };
    });
    expect(() => explore(moody, { strategy: 'dfs' })).toThrow(/does not do the same/);
  });

  it('refuses a machine that is not in checking mode', () => {
    const blind: Case = { name: 'blind', setup: () => ({ machine: createMachine({ cpus: [{ node: 0 }] }) }) };
    expect(() => explore(blind)).toThrow(/not in checking mode/);
  });

  it('refuses a wait whose end is not reported', () => {
    const silent = castCase('silent', (machine) => {
      const object = machine.objects.range('door', 1);
      let isOpen = false;
      const door = {
        name: 'door',
        isIdle: false,
        spins: false,
        canProceed: () => isOpen,
        holders: () => [],
      };
      return {
        threads: [
          function* waiter(thread) {
            thread.blockedOn = door;
            yield object * 8 + 5;
          },
          function* opener() {
            yield object * 8 + 800;
            isOpen = true;
            yield object * 8 + 808;
          },
        ],
      };
    });
    expect(() => explore(silent)).toThrow(/without touching what it waits for/);
  });
});

describe('a law of every step', () => {
  /** The number is 1 on the way only. */
  const passing = (checkStep: (value: number) => void): Case =>
    castCase('passing', (machine) => {
      const number = machine.sharedNumber('number', 0);
      function* routine(thread: Thread): Routine<void> {
        for (const change of [1, -1]) {
          yield number.adding;
          number.add(thread, change);
        }
      }
      return { threads: [routine], state: () => '', checkStep: () => checkStep(number.value) };
    });

  it('is judged after each step, and what it throws is a finding that can be replayed', () => {
    const values: number[] = [];
    expect(explore(passing((value) => values.push(value))).finding).toBe(null);
    expect(values).toEqual([0, 1, 0]);
    const subject = passing((value) => {
      if (value !== 0) throw new InvariantViolation(`It is ${value}.`);
    });
    const { finding, status } = explore(subject);
    expect([status, finding?.kind, finding?.trace.length]).toEqual(['found', 'violation', 2]);
    expect(formatFinding(finding as Finding)).toContain('It is 1.');
    expect(replay(subject, finding?.schedule ?? []).fault?.error.message).toBe('It is 1.');
  });
});
