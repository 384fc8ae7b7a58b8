import type { Routine, Schedule, SharedNumber, Thread } from '@epckit/interface';
import { Cost } from '@epckit/interface';
import { createMachine } from '@epckit/machine';

/** Adds one in two steps, between which another CPU can come. */
function* addOne(thread: Thread, count: SharedNumber): Routine<void> {
  if (thread.clock > thread.limit) yield count.reading;
  const seen = count.read(thread);
  if (thread.spend(Cost.EWB) > thread.limit) yield count.writing;
  count.write(thread, seen + 1);
}

function setUp(checking: boolean) {
  const machine = createMachine({ cpus: [{ node: 0 }, { node: 0 }], checking });
  const count = machine.sharedNumber('count', 0);
  const threads = [0, 1].map((cpu) => machine.createThread({ name: `cpu ${cpu}`, cpu }));
  return { machine, count, threads };
}

function direct(): string {
  const { machine, count, threads } = setUp(false);
  for (const thread of threads) machine.run(thread, addOne(thread, count));
  return `direct: ${count.value}`;
}

function timed(): string {
  const { machine, count, threads } = setUp(false);
  for (const thread of threads) machine.start(thread, addOne(thread, count));
  machine.runTimed();
  return `timed: ${count.value}, ended at ${threads.map(({ clock }) => clock).join(' and ')}`;
}

function explored(order: readonly number[]): string {
  const { machine, count, threads } = setUp(true);
  for (const thread of threads) machine.start(thread, addOne(thread, count));
  const left = [...order];
  const schedule: Schedule = {
    begin: () => true,
    choose: (enabled) => {
      const cpu = left.shift();
      return enabled.findIndex((thread) => thread.cpu === cpu);
    },
  };
  const { status, steps } = machine.runExplored(schedule, { maxSteps: 100 });
  return `explored ${order.join('')}: ${count.value}, ${status} after ${steps} steps`;
}

console.log(direct());
console.log(timed());
console.log(explored([0, 0, 0, 1, 1, 1]));
console.log(explored([0, 0, 1, 1, 0, 1]));
