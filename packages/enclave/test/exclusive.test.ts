import type { Schedule } from '@epckit/interface';
import { Errno } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import { Stack } from './stack.js';

/** Every thread makes one step in turn. */
function alternating(): Schedule {
  let turn = 0;
  return { begin: () => true, choose: (enabled) => turn++ % enabled.length };
}

/** One thread after the other. */
const inOrder: Schedule = { begin: () => true, choose: () => 0 };

/** Two CPUs call CREATE on one enclave. */
function createTwice(schedule: Schedule): number[] {
  const stack = new Stack({ checking: true });
  const { driver, machine } = stack;
  const enclave = driver.open();
  const results: number[] = [];
  for (const cpu of [0, 1]) {
    const thread = stack.thread(cpu);
    const range = { pageCount: 2, basePage: 2 * (cpu + 1), attributes: 4 };
    machine.start(
      thread,
      (function* create() {
        results.push(yield* driver.create.run(thread, enclave, range));
      })(),
    );
  }
  expect(machine.runExplored(schedule, { maxSteps: 1000 }).status).toBe('done');
  return results;
}

describe('ioctls of one enclave', () => {
  it('exclude each other: the second gets EBUSY while the first runs', () => {
    expect(createTwice(alternating()).sort()).toEqual([-Errno.EBUSY, 0].sort());
  });

  it('follow each other: the second CREATE finds an enclave', () => {
    expect(createTwice(inOrder)).toEqual([0, -Errno.EINVAL]);
  });
});
