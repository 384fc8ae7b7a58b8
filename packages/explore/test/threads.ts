import type { Routine } from '@epckit/interface';
import type { Machine, MachineThread } from '@epckit/machine';
import { createMachine } from '@epckit/machine';
import type { Case, Mark, World } from '../src/index.js';

/** Routines of a case, one per thread, and what to ask of its world at the end. */
export interface Cast extends Omit<World, 'machine'> {
  readonly threads: readonly ((thread: MachineThread) => Routine<unknown>)[];
}

/** A case on a machine with two CPUs whose threads are called A, B, C … */
export function castCase(name: string, cast: (machine: Machine, mark: Mark) => Cast): Case {
  return {
    name,
    setup(mark) {
      const machine = createMachine({ cpus: [{ node: 0 }, { node: 0 }], checking: true });
      const { threads, ...world } = cast(machine, mark);
      threads.forEach((routine, index) => {
        const thread = machine.createThread({ name: 'ABCDE'[index] as string, cpu: index % 2 });
        machine.start(thread, routine(thread));
      });
      return { machine, ...world };
    },
  };
}
