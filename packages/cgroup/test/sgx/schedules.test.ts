import type { Routine } from '@epckit/interface';
import type { MachineThread } from '@epckit/machine';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { EpcCgroupOptions } from '../../src/index.js';
import { CGROUP_MOUNT, epcCgroupPresets, epckitCgroups } from '../../src/index.js';
import { PoisonAwareGroupLists } from '../../src/recipes.js';
import { EpcStack, PAGE } from './epc-stack.js';
import { SECS, VA } from './toy-owner.js';

/** A scene: what runs at the same time on a small stack. */
interface Scene {
  readonly name: string;
  build(stack: EpcStack): readonly Routine<unknown>[];
}

const tries = 3;

/** A fault that comes again some times. */
function* fault(
  stack: EpcStack,
  thread: MachineThread,
  toy: ReturnType<EpcStack['tenant']>,
  record: number,
): Routine<void> {
  for (let i = 0; i < tries; i++) {
    if ((yield* stack.toys.load(thread, toy, record, false)) !== -16) return;
  }
}

const scenes: readonly Scene[] = [
  {
    name: 'two charges at the limit of their parent',
    build(stack) {
      stack.group('/a', 3);
      stack.group('/a/b');
      stack.group('/a/c');
      const toys = [stack.tenant('/a/b', 2), stack.tenant('/a/c', 1)];
      return toys.map((toy, cpu) => {
        stack.enter(cpu === 0 ? '/a/b' : '/a/c', cpu);
        return stack.toys.load(stack.thread(cpu), toy, 50 + cpu, true);
      });
    },
  },
  {
    name: 'a fault beside a charge',
    build(stack) {
      stack.group('/a', 2);
      const toy = stack.tenant('/a', 2);
      stack.enter('/a', 0);
      stack.enter('/a', 1);
      return [fault(stack, stack.thread(0), toy, 50), stack.toys.load(stack.thread(1), toy, 60, true)];
    },
  },
  {
    name: 'a charge beside close, rmdir and a lowered limit',
    build(stack) {
      stack.group('/a', 4);
      stack.group('/a/b');
      const toy = stack.tenant('/a/b', 3);
      const other = stack.toys.create();
      stack.group('/a/c');
      stack.enter('/a/c', 1);
      stack.write('/cgroup.procs', '100');
      const end = function* (thread: MachineThread): Routine<void> {
        yield* stack.tree.files.write(thread, `${CGROUP_MOUNT}/a/misc.max`, `sgx_epc ${2 * PAGE}`);
        yield* stack.toys.close(thread, toy);
        yield* stack.tree.rmdir(thread, `${CGROUP_MOUNT}/a/b`);
      };
      const charge = function* (thread: MachineThread): Routine<void> {
        for (const record of [SECS, VA, 1, 2]) yield* stack.toys.load(thread, other, record, true);
      };
      return [end(stack.thread(0)), charge(stack.thread(1))];
    },
  },
  {
    name: 'a charge above high beside a write to low and high',
    build(stack) {
      stack.group('/a', 6);
      stack.group('/a/b');
      stack.group('/a/c');
      const toys = [stack.tenant('/a/b', 2), stack.tenant('/a/c', 2)];
      stack.enter('/a/b', 1);
      // Files of 2020; elsewhere the writes are refused and it is a charge beside nothing.
      const write = function* (thread: MachineThread): Routine<void> {
        for (const [file, pages] of [
          ['b/sgx_epc.low', 8],
          ['c/sgx_epc.high', 1],
          ['sgx_epc.high', 3],
          ['sgx_epc.events', 0],
        ] as const) {
          yield* stack.tree.files.write(thread, `${CGROUP_MOUNT}/a/${file}`, `${pages * PAGE}`);
        }
      };
      const charge = function* (thread: MachineThread): Routine<void> {
        yield* fault(stack, thread, toys[0] as ReturnType<EpcStack['tenant']>, 50);
        for (const record of [51, 52, 53]) {
          yield* stack.toys.load(thread, toys[0] as ReturnType<EpcStack['tenant']>, record, true);
        }
      };
      return [write(stack.thread(0)), charge(stack.thread(1))];
    },
  },
];

const designs: EpcCgroupOptions[] = [
  ...Object.values(epcCgroupPresets),
  { ...epckitCgroups, name: 'epckit, killing', kill: 'mark' },
  { ...epckitCgroups, name: 'epckit, poison-aware', lists: (parts) => new PoisonAwareGroupLists(parts) },
];

/** Runs one schedule; every invariant holds after every step, and the checking mode finds no race. */
function runSchedule(design: EpcCgroupOptions, scene: Scene, choices: readonly number[]): string[] {
  const stack = new EpcStack({ design, epcPages: 8, checking: true });
  stack.startKernelThreads();
  const routines = scene.build(stack);
  routines.forEach((routine, cpu) => void stack.machine.start(stack.thread(cpu), routine));
  let at = 0;
  const found: string[] = [];
  const { status, error } = stack.machine.runExplored(
    { begin: () => true, choose: (enabled) => (choices[at++] ?? at) % enabled.length },
    {
      maxSteps: 20_000,
      onStep: () => {
        if (found.length === 0) found.push(...stack.epcViolations());
      },
    },
  );
  if (error !== undefined) found.push(`${error.message}`);
  if (status !== 'done') found.push(status);
  return [...found, ...stack.violations()];
}

describe.each(designs)('$name', (design) => {
  it.each(scenes)('$name: sound after every step of any schedule', (scene) => {
    fc.assert(
      fc.property(fc.array(fc.nat(5), { minLength: 40, maxLength: 400 }), (choices) => {
        expect(runSchedule(design, scene, choices)).toEqual([]);
      }),
      { numRuns: 20 },
    );
  });
});
