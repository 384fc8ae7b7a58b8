import type { Case } from '@epckit/explore';
import { compareReductions, explore, formatFinding, replay } from '@epckit/explore';
import type { Routine, Thread } from '@epckit/interface';
import { InvariantViolation } from '@epckit/interface';
import { createMachine } from '@epckit/machine';

/** Two threads count a page each; `isLocked` makes reading and writing one section. */
function counting(isLocked: boolean): Case {
  return {
    name: isLocked ? 'locked counting' : 'counting',
    setup() {
      const machine = createMachine({ cpus: [{ node: 0 }, { node: 0 }], checking: true });
      const used = machine.sharedNumber('used', 0);
      const lock = machine.spinLock('used_lock');

      function* count(thread: Thread): Routine<void> {
        while (isLocked && lock.mustWait(thread)) yield lock.acquire;
        if (thread.clock > thread.limit) yield used.reading;
        const before = used.read(thread);
        if (thread.clock > thread.limit) yield used.writing;
        used.write(thread, before + 1);
        if (isLocked) lock.release(thread);
      }

      for (const cpu of [0, 1]) {
        const thread = machine.createThread({ name: `CPU ${cpu}`, cpu });
        machine.start(thread, count(thread));
      }
      return {
        machine,
        state: () => `used ${used.value}`,
        check() {
          if (used.value !== 2) throw new InvariantViolation(`Two pages are used, not ${used.value}.`);
        },
      };
    },
  };
}

/** What the example prints. */
export const output: string[] = [];

const { finding } = explore(counting(false));
if (finding !== null) output.push(formatFinding(finding));

// The schedule of the report shows it again; another one does not.
output.push(replay(counting(false), '1*3 2*3').state ?? '');

// The repair: exhausted, and the searches agree that nothing was skipped.
const { results, differences } = compareReductions(counting(true));
for (const [strategy, { status, executions }] of results)
  output.push(`${strategy}: ${status}, ${executions}`);
output.push(...differences);

console.log(output.join('\n'));
