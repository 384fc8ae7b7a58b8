import { CGROUP_MOUNT } from '@epckit/cgroup';
import type { Routine } from '@epckit/interface';
import { Cost, Mode, op } from '@epckit/interface';
import type { MachineThread } from '@epckit/machine';
import type { Cgroups } from '../cgroups/cgroups.js';
import type { Epc } from '../create-epc.js';
import type { ScenarioCgroups } from './scenario-groups.js';

/** Name of the thread that writes limits. */
export const OPERATOR_NAME = 'operator';

/** A limit and the group that gets it. */
interface Change {
  readonly path: string;
  readonly atCycles: number;
  readonly text: string;
}

/** What is written to `misc.max`. */
function limitText(maxBytes: number | null): string {
  return `sgx_epc ${maxBytes ?? 'max'}`;
}

/** Who makes the cgroups of a scenario and changes their limits: a thread with a CPU of its own. */
export class Operator {
  readonly #cgroups: Cgroups;
  readonly #changes: readonly Change[];
  readonly #epc: Epc;

  /** Makes the groups of a scenario, with their first limits. The stack is booted, nothing else has run. */
  constructor(epc: Epc, cgroups: Cgroups, { groups }: ScenarioCgroups) {
    this.#epc = epc;
    this.#cgroups = cgroups;
    const thread = epc.userThread(0).thread;
    for (const { path, maxBytes } of groups) cgroups.makeGroup(thread, path, maxBytes ?? undefined);
    this.#changes = groups
      .flatMap(({ path, limits = [] }) =>
        limits.map(({ atCycles, maxBytes }) => ({ path, atCycles, text: limitText(maxBytes) })),
      )
      .sort((a, b) => a.atCycles - b.atCycles);
  }

  /** Later limits are written by a thread of its own. @param began - beginning of the run */
  start(began: number): void {
    if (this.#changes.length === 0) return;
    const { machine } = this.#epc;
    const thread = machine.createThread({ name: OPERATOR_NAME, cpu: machine.cpuCount - 1 });
    thread.startAt(began);
    machine.start(thread, this.#main(thread, began));
  }

  /** Writes each limit at its time. */
  *#main(thread: MachineThread, began: number): Routine<void> {
    const waiting = op(this.#epc.machine.objects.range('time of the operator', 1), Mode.ADD);
    for (const { path, atCycles, text } of this.#changes) {
      thread.waitUntil(began + atCycles, Cost.EVENT_WAIT);
      if (thread.clock > thread.limit) yield waiting;
      yield* this.#cgroups.tree.files.write(thread, `${CGROUP_MOUNT}${path}/misc.max`, text);
    }
  }
}
