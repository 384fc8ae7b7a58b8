import type { Routine, Thread } from '@epckit/interface';
import { createMachine } from '@epckit/machine';
import { describe, expect, it } from 'vitest';
import type { Case } from '../src/index.js';
import { compareReductions } from '../src/index.js';

/** Two CPUs queue the same work, each behind a step of its own; the worker counts how often it performs it. */
const queuedTwice: Case = {
  name: 'work that two CPUs queue',
  setup() {
    const machine = createMachine({ cpus: [{ node: 0 }, { node: 0 }, { node: 0 }], checking: true });
    const queue = machine.workQueue('works');
    let performed = 0;
    let refused = 0;
    // The worker alone writes these, and the state is read at the end.
    function* work(): Routine<void> {
      performed++;
    }
    function* user(thread: Thread): Routine<void> {
      if (thread.clock > thread.limit) yield thread.signalReading;
      if (!queue.queue(thread, work)) refused++;
    }
    const worker = machine.createThread({ name: 'worker', cpu: 2, isKernel: true });
    machine.start(worker, queue.main(worker));
    for (const cpu of [0, 1]) {
      const thread = machine.createThread({ name: `CPU ${cpu}`, cpu });
      machine.start(thread, user(thread));
    }
    return { machine, state: () => `performed ${performed}, refused ${refused}` };
  },
};

describe('a work queue in a search', () => {
  it('shows every outcome to every strategy', () => {
    const { results, differences } = compareReductions(queuedTwice);
    expect(differences).toEqual([]);
    for (const result of results.values()) {
      expect([...result.finalStates].sort()).toEqual(['performed 1, refused 1', 'performed 2, refused 0']);
    }
  });
});
