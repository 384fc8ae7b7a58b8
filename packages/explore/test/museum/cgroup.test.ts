import type { MiscControllerRecipes, MiscGroup } from '@epckit/cgroup';
import { CgroupErrno, Resource } from '@epckit/cgroup';
import type { Routine } from '@epckit/interface';
import { InvariantViolation, opObject } from '@epckit/interface';
import type { MachineThread } from '@epckit/machine';
import { describe, expect, it } from 'vitest';
import type { Case, World } from '../../src/index.js';
import { explore, formatFinding } from '../../src/index.js';
import { M, MiscGroups, PAGE } from './misc-groups.js';
import { AddThenLook, LookThenAdd } from './two-step-charge.js';

const { EBUSY, EEXIST, ENOENT, ESRCH } = CgroupErrno;

/** A prepared stack, one routine per CPU, and what to tell about the end. */
interface Program {
  readonly routines: readonly Routine<unknown>[];
  state(): string;
}

function caseOf(
  name: string,
  cpus: number,
  recipes: MiscControllerRecipes,
  build: (stack: MiscGroups) => Program,
): Case {
  return {
    name,
    setup: (): World => {
      const stack = new MiscGroups({ cpus, recipes });
      const { routines, state } = build(stack);
      routines.forEach((routine, cpu) => void stack.machine.start(stack.thread(cpu), routine));
      const check = () => {
        const found = stack.violations();
        if (found.length > 0) throw new InvariantViolation(found[0] as string, found);
      };
      return { machine: stack.machine, state, check };
    },
  };
}

/** Final states; both reductions exhaust the case and agree. */
function statesOf(subject: Case): string[] {
  const results = (['dpor', 'sleepSets'] as const).map((strategy) => {
    const { status, finding, finalStates } = explore(subject, { strategy });
    expect([strategy, status, finding]).toEqual([strategy, 'exhausted', null]);
    return [...finalStates].sort();
  });
  expect(results[0]).toEqual(results[1]);
  return results[0] as string[];
}

const result = (value: number | undefined): string =>
  value === 0 ? 'ok' : `${value}`.replace(`${-EBUSY}`, 'EBUSY');

/** CPU i charges `pages[i]` at `paths[i]`; the state is the results and what is left. */
function charging(
  limit: string,
  paths: string[],
  pages: number[],
  recipes: MiscControllerRecipes = {},
): Case {
  return caseOf(`charges of ${pages} at ${paths}`, pages.length, recipes, (stack) => {
    const ids = stack.groups(...paths);
    stack.write('/a/misc.max', `sgx_epc ${limit}`);
    const results: number[] = [];
    const charge = function* (thread: MachineThread, cpu: number): Routine<void> {
      results[cpu] = yield* stack.chargeOn(thread, ids[cpu] as number, pages[cpu] as number);
    };
    const a = stack.id('/a');
    return {
      routines: pages.map((_, cpu) => charge(stack.thread(cpu), cpu)),
      state: () => {
        const { usage, local } = stack.counters(a);
        return `${results.map(result).join(' ')}: ${usage / PAGE} pages, ${local} events`;
      },
    };
  });
}

describe('R-12, charges that are added before they are compared', () => {
  it('two that each fit alone, but not together: one gets it, never both, and never neither', () => {
    expect(statesOf(charging('8192', ['/a', '/a'], [2, 1]))).toEqual([
      'EBUSY ok: 1 pages, 1 events',
      'ok EBUSY: 2 pages, 1 events',
    ]);
  });

  it('the same from two groups below the limit', () => {
    expect(statesOf(charging('4096', ['/a/b', '/a/c'], [1, 1]))).toEqual([
      'EBUSY ok: 1 pages, 1 events',
      'ok EBUSY: 1 pages, 1 events',
    ]);
  });

  it('one that fits fails beside one that does not: nothing is charged, and there are two events', () => {
    expect(statesOf(charging('4096', ['/a', '/a'], [2, 1]))).toEqual([
      'EBUSY EBUSY: 0 pages, 2 events',
      'EBUSY ok: 1 pages, 1 events',
    ]);
  });

  it('of three that each fit alone, one fails although it fits beside the one that does not', () => {
    // At the root, against the capacity: one group, so that three CPUs can be exhausted.
    const subject = caseOf('three charges', 3, {}, (stack) => {
      stack.run(stack.controller.setCapacity(stack.thread(), Resource.SGX_EPC, 3 * PAGE));
      const results: number[] = [];
      const charge = function* (thread: MachineThread, pages: number, cpu: number): Routine<void> {
        results[cpu] = yield* stack.chargeOn(thread, 0, pages);
      };
      return {
        routines: [2, 2, 1].map((pages, cpu) => charge(stack.thread(cpu), pages, cpu)),
        state: () => `${results.map(result).join(' ')}: ${stack.counters(0).usage / PAGE} pages`,
      };
    });
    expect(statesOf(subject)).toEqual([
      'EBUSY ok EBUSY: 2 pages',
      'EBUSY ok ok: 3 pages',
      'ok EBUSY EBUSY: 2 pages',
      'ok EBUSY ok: 3 pages',
    ]);
  });
});

describe('what the search finds in charges that are not one addition', () => {
  it('add, then look: two that each fit alone both fail', () => {
    const states = statesOf(
      charging('4096', ['/a', '/a'], [1, 1], { charge: (parts) => new AddThenLook(parts) }),
    );
    expect(states).toContain('EBUSY EBUSY: 0 pages, 2 events');
  });

  it('look, then add: the limit is exceeded, and no watermark knows', () => {
    const { finding } = explore(
      charging('4096', ['/a', '/a'], [1, 1], { charge: (parts) => new LookThenAdd(parts) }),
    );
    expect(finding && formatFinding(finding)).toContain('sgx_epc of /a: peak 4096 below usage 8192');
  });
});

it('every step of a charge touches one shared number, after it has announced it', () => {
  const steps: [number, number[]][] = [];
  const subject = charging('8192', ['/a/b', '/a/c'], [1, 2]);
  const { machine } = subject.setup(() => {});
  machine.runExplored(
    { begin: () => true, choose: (enabled) => enabled.length - 1 },
    {
      maxSteps: 1000,
      onStep: ({ op, footprint }) => steps.push([opObject(op), [...footprint.keys()]]),
    },
  );
  expect(steps.length).toBeGreaterThan(20);
  for (const [announced, touched] of steps) {
    const numbers = touched.filter((object) => !machine.objects.nameOf(object).includes('change'));
    expect(numbers.filter((object) => object !== announced)).toEqual([]);
  }
});

it('watermarks of concurrent charges end at the highest usage that a step has reached', () => {
  const subject = caseOf('peaks', 2, {}, (stack) => {
    const [a] = stack.groups('/a') as [number];
    return {
      routines: [stack.chargeOn(stack.thread(0), a, 1), stack.chargeOn(stack.thread(1), a, 2)],
      state: () => `${stack.counters(a).peak / PAGE} ${stack.counters(0).peak / PAGE}`,
    };
  });
  expect(statesOf(subject)).toEqual(['3 3']);
});

it('a limit that is lowered beside a charge: the charge fits or not, no event for the write', () => {
  const subject = caseOf('write beside charge', 2, {}, (stack) => {
    const [a] = stack.groups('/a') as [number];
    let charged: number;
    const charge = function* (): Routine<void> {
      charged = yield* stack.chargeOn(stack.thread(0), a, 2);
    };
    return {
      routines: [charge(), stack.tree.files.write(stack.thread(1), `${M}/a/misc.max`, 'sgx_epc 4096')],
      state: () => `${result(charged)} ${stack.counters(a).usage / PAGE} ${stack.counters(a).local}`,
    };
  });
  expect(statesOf(subject)).toEqual(['EBUSY 0 1', 'ok 2 0']);
});

/** Takes the current group, charges a page, gives it back and drops the reference. */
function* chargeCurrent(stack: MiscGroups, thread: MachineThread, log: string[]): Routine<void> {
  const { controller, tree } = stack;
  const id = yield* tree.processes.getCurrent(thread);
  const group = controller.group(id) as MiscGroup;
  if ((yield* stack.chargeOn(thread, id)) !== 0) return;
  log.push(group.name);
  yield* controller.uncharge(thread, Resource.SGX_EPC, id, PAGE);
  yield* controller.put(thread, group.id);
}

it('a process that is moved away while it charges: the group it charged stays until it has given back', () => {
  const subject = caseOf('charge beside move and rmdir', 2, {}, (stack) => {
    stack.groups('/a', '/b');
    stack.tree.addProcess(7, `${M}/a`);
    stack.tree.processes.setCurrent(stack.thread(0), 7);
    const log: string[] = [];
    const move = function* (): Routine<void> {
      yield* stack.tree.files.write(stack.thread(1), `${M}/b/cgroup.procs`, '7');
      log.push(`rmdir ${yield* stack.tree.rmdir(stack.thread(1), `${M}/a`)}`);
    };
    return {
      routines: [chargeCurrent(stack, stack.thread(0), log), move()],
      state: () =>
        `${log.filter((line) => line.startsWith('/'))} ${stack.controller.groups().map(({ name }) => name)}`,
    };
  });
  expect(statesOf(subject)).toEqual(['/a /,/b', '/b /,/b']);
});

it('the last two references: one of them frees the group, and its private part once', () => {
  const subject = caseOf('two puts', 2, {}, (stack) => {
    const freed: string[] = [];
    stack.controller.setOps(Resource.SGX_EPC, {
      alloc: () => 0,
      *free(_, { name }): Routine<void> {
        freed.push(name);
      },
    });
    const [group] = stack.groups('/a').map((id) => stack.controller.group(id)) as [MiscGroup];
    stack.run(stack.controller.get(stack.thread(0), group.id));
    return {
      routines: [
        stack.controller.put(stack.thread(0), group.id),
        stack.tree.rmdir(stack.thread(1), `${M}/a`),
      ],
      state: () => `${freed}`,
    };
  });
  expect(statesOf(subject)).toEqual(['/a']);
});

describe('directories are changed one after the other', () => {
  const two = (name: string, build: (stack: MiscGroups) => readonly Routine<unknown>[]): string[] =>
    statesOf(
      caseOf(name, 2, {}, (stack) => {
        stack.groups('/a');
        stack.tree.addProcess(7);
        const results: unknown[] = [];
        const note = function* (routine: Routine<unknown>, cpu: number): Routine<void> {
          results[cpu] = yield* routine;
        };
        return { routines: build(stack).map(note), state: () => results.join(' ') };
      }),
    );

  it('mkdir and mkdir', () => {
    const states = two('mkdir twice', ({ tree, threads: [one, other] }) => [
      tree.mkdir(one as MachineThread, `${M}/b`),
      tree.mkdir(other as MachineThread, `${M}/b`),
    ]);
    expect(states).toEqual([`${-EEXIST} 0`, `0 ${-EEXIST}`].sort());
  });

  it('rmdir and a process that comes', () => {
    const states = two('rmdir beside move', ({ tree, threads: [one, other] }) => [
      tree.rmdir(one as MachineThread, `${M}/a`),
      tree.files.write(other as MachineThread, `${M}/a/cgroup.procs`, '7'),
    ]);
    // Looked up before the directory went: its file says that it is gone.
    expect(states).toEqual([`${-EBUSY} 1`, `0 ${-CgroupErrno.ENODEV}`, `0 ${-ENOENT}`].sort());
  });

  it('exit and a move', () => {
    const states = two('exit beside move', ({ tree, threads: [one, other] }) => [
      tree.exit(one as MachineThread, 7),
      tree.files.write(other as MachineThread, `${M}/a/cgroup.procs`, '7'),
    ]);
    expect(states).toEqual([`0 ${-ESRCH}`, '0 1'].sort());
  });
});
