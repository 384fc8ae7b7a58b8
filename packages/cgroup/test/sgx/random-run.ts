import type { Routine } from '@epckit/interface';
import type { MachineThread } from '@epckit/machine';
import type { EpcCgroupOptions } from '../../src/index.js';
import { CGROUP_MOUNT, CgroupErrno, Resource } from '../../src/index.js';
import { EpcStack, PAGE } from './epc-stack.js';
import { FairnessOracle } from './fairness-oracle.js';
import type { Toy } from './toy-owner.js';
import { SECS, VA } from './toy-owner.js';

const { EINVAL, ERANGE, EACCES, ENOENT } = CgroupErrno;

/** Writes that are refused, and how (reference, 1.3). */
const badWrites: readonly (readonly [file: string, text: string, errno: number])[] = [
  ['misc.max', 'sgx_epc\t5', EINVAL],
  ['misc.max', 'sgx_epc -1', EINVAL],
  ['misc.max', 'sgx_epc 18446744073709551616', ERANGE],
  ['misc.max', 'sgx_epc', EINVAL],
  ['misc.max', '', EINVAL],
  ['misc.max', 'sgx_epc  5', EINVAL],
  ['misc.max', 'sgx_epc 5 6', EINVAL],
  ['misc.max', 'sgx_epc 1M', EINVAL],
  ['misc.max', 'nosuch 5', EINVAL],
  ['misc.current', '0', EACCES],
  ['nosuch', '0', ENOENT],
];

/** A small generator of numbers: the same for the same seed. */
class Numbers {
  #state: number;

  constructor(seed: number) {
    this.#state = (seed * 2 + 1) >>> 0;
  }

  /** A whole number below `bound`. */
  below(bound: number): number {
    this.#state = (Math.imul(this.#state, 1664525) + 1013904223) >>> 0;
    return Math.floor((this.#state / 2 ** 32) * bound);
  }

  of<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)] as T;
  }
}

/** What a run has met, so that tests know that it was worth it. */
export interface RandomCounts {
  loads: number;
  again: number;
  refused: number;
  moves: number;
  removals: number;
  badWrites: number;
  bounds: number;
  overlapped: number;
}

const CPUS = 3;
const EPC_PAGES = 48;
const TOYS_PER_CPU = 2;
const leafPaths = ['/a/x', '/a/y', '/b', '/c/d/e'];

/** Random trees, limits, moves, charges and kills on several CPUs in the timed world. */
export class RandomRun {
  readonly stack: EpcStack;
  readonly fairness = new FairnessOracle();
  readonly problems: string[] = [];
  readonly counts: RandomCounts = {
    loads: 0,
    again: 0,
    refused: 0,
    moves: 0,
    removals: 0,
    badWrites: 0,
    bounds: 0,
    overlapped: 0,
  };
  /** Groups whose limit was lowered below their usage. */
  readonly #lowered = new Set<number>();
  readonly #design: EpcCgroupOptions;
  #running = 0;
  #checkedAt = -1;

  constructor(design: EpcCgroupOptions, seed: number, operations: number) {
    this.#design = design;
    this.stack = new EpcStack({
      design,
      epcPages: EPC_PAGES,
      cpus: CPUS,
      lowPages: 2,
      observer: this.fairness,
    });
    const { stack } = this;
    for (const path of leafPaths) stack.group(path);
    for (let cpu = 0; cpu < CPUS; cpu++) {
      const pid = stack.enter(leafPaths[cpu] as string, cpu);
      const numbers = new Numbers(seed * CPUS + cpu);
      const thread = stack.thread(cpu);
      stack.machine.start(thread, this.#program(thread, pid, numbers, Math.ceil(operations / CPUS)));
    }
    stack.machine.start(stack.worker, stack.engine.workers.main(stack.worker));
    stack.machine.start(stack.ksgxd, stack.reclaimer.main(stack.ksgxd, idle()));
  }

  /** Runs to the end and gives everything back. */
  run(): void {
    const { stack } = this;
    stack.machine.runTimed();
    stack.machine.runKernelThreads();
    this.#note(stack.violations());
    this.#checkLimits();
    for (const owner of [stack.toys, stack.guests]) {
      for (const toy of owner.toys) if (toy.refs.value > 0) stack.run(owner.close(stack.thread(), toy));
    }
    stack.machine.runKernelThreads();
    if (stack.usage(0) !== 0) this.problems.push(`usage ${stack.usage(0)} at the end`);
    this.#note(stack.violations());
    if (this.#design.walk === 'roundRobin') this.#note(this.fairness.problems);
  }

  *#program(thread: MachineThread, pid: number, numbers: Numbers, operations: number): Routine<void> {
    const toys: Toy[] = [];
    for (let i = 0; i < operations; i++) {
      if (this.#running++ > 0) this.counts.overlapped++;
      yield* this.#operation(thread, pid, numbers, toys);
      this.#running--;
      if (this.#hasChanged()) this.#note(this.stack.epcViolations());
    }
  }

  /** Has any page, charge or group changed since this was last asked, in a run that is sound so far? */
  #hasChanged(): boolean {
    const { frames, controller } = this.stack;
    const now = frames.changes + controller.changes + controller.shape.value;
    const isNew = now !== this.#checkedAt;
    this.#checkedAt = now;
    return isNew && this.problems.length === 0;
  }

  #operation(thread: MachineThread, pid: number, numbers: Numbers, toys: Toy[]): Routine<void> {
    const kind = numbers.below(100);
    if (kind < 60) return this.#load(thread, numbers, toys);
    if (kind < 75) return this.#unload(thread, numbers, toys);
    if (kind < 82) return this.#move(thread, pid, numbers);
    if (kind < 90) return this.#limit(thread, numbers);
    if (kind < 92) return this.#badWrite(thread, numbers);
    if (kind < 98) return this.#tree(thread, numbers);
    return this.#close(thread, numbers, toys);
  }

  *#load(thread: MachineThread, numbers: Numbers, toys: Toy[]): Routine<void> {
    const toy = this.#toy(numbers, toys);
    if (toy.isDying) return yield* this.#closeOne(thread, toys, toy);
    const isGuest = this.stack.guests.toys[toy.id] === toy;
    const owner = isGuest ? this.stack.guests : this.stack.toys;
    const kind = numbers.below(12);
    const record = !isGuest && kind === 0 ? SECS : !isGuest && kind === 1 ? VA : numbers.below(30);
    const mayReclaim = numbers.below(2) === 0;
    this.counts.loads++;
    for (let turn = 0; turn < 4; turn++) {
      const result = yield* owner.load(thread, toy, record, mayReclaim);
      if (result === 0) return;
      if (result !== -16) {
        this.counts.refused++;
        return;
      }
      this.counts.again++;
    }
  }

  *#unload(thread: MachineThread, numbers: Numbers, toys: Toy[]): Routine<void> {
    const toy = this.#toy(numbers, toys);
    const owner = this.stack.guests.toys[toy.id] === toy ? this.stack.guests : this.stack.toys;
    yield* owner.unload(thread, toy, numbers.below(32) - 2);
  }

  *#move(thread: MachineThread, pid: number, numbers: Numbers): Routine<void> {
    const path = `${CGROUP_MOUNT}${numbers.of(leafPaths)}/cgroup.procs`;
    if ((yield* this.stack.tree.files.write(thread, path, `${pid}`)) > 0) this.counts.moves++;
  }

  *#limit(thread: MachineThread, numbers: Numbers): Routine<void> {
    const { stack } = this;
    const path = `${CGROUP_MOUNT}${numbers.of(['/a', '/b', '/c/d', ...leafPaths])}`;
    if (this.#design.hasOwnFiles === true && numbers.below(2) === 0) {
      return yield* this.#bound(thread, numbers, path);
    }
    const limit = numbers.below(4) === 0 ? 'max' : numbers.below(EPC_PAGES) * PAGE;
    const directory = stack.tree.directory(path);
    const group = typeof directory === 'number' ? undefined : directory.group;
    if (limit !== 'max' && group !== undefined && group !== null) {
      const { max } = group.counters(Resource.SGX_EPC);
      if (BigInt(limit) < max.exact) this.#lowered.add(group.serial);
    }
    yield* stack.tree.files.write(thread, `${path}/misc.max`, `sgx_epc ${limit}`);
  }

  /** Sets protection or the bound without refusals, or resets counters. */
  *#bound(thread: MachineThread, numbers: Numbers, path: string): Routine<void> {
    const name = numbers.of(['low', 'high', 'high', 'stats', 'events']);
    const bytes = numbers.below(4) === 0 ? 'max' : `${numbers.below(EPC_PAGES) * PAGE}`;
    const written = yield* this.stack.tree.files.write(thread, `${path}/sgx_epc.${name}`, bytes);
    if (written > 0) this.counts.bounds++;
  }

  *#badWrite(thread: MachineThread, numbers: Numbers): Routine<void> {
    const [file, text, errno] = numbers.of(badWrites);
    const path = `${CGROUP_MOUNT}/a/${file}`;
    const directory = this.stack.tree.directory(`${CGROUP_MOUNT}/a`);
    const before =
      typeof directory === 'number' ? undefined : directory.group?.counters(Resource.SGX_EPC).max.exact;
    const written = yield* this.stack.tree.files.write(thread, path, text);
    if (written !== -errno) this.problems.push(`'${text}' to ${file}: ${written}`);
    const after =
      typeof directory === 'number' ? undefined : directory.group?.counters(Resource.SGX_EPC).max.exact;
    // Somebody else may have written in between: then the text of a bad write is still not what is there.
    if (before !== after && after === 5n) this.problems.push(`'${text}' was stored`);
    this.counts.badWrites++;
  }

  /** Makes or removes a leaf. */
  *#tree(thread: MachineThread, numbers: Numbers): Routine<void> {
    const { tree } = this.stack;
    const path = `${CGROUP_MOUNT}${numbers.of(leafPaths)}`;
    if (numbers.below(2) === 0) yield* tree.mkdirAll(thread, path);
    else if ((yield* tree.rmdir(thread, path)) === 0) this.counts.removals++;
  }

  *#close(thread: MachineThread, numbers: Numbers, toys: Toy[]): Routine<void> {
    if (toys.length > 0) yield* this.#closeOne(thread, toys, numbers.of(toys));
  }

  /** The process of a toy ends, for instance because it was killed. */
  *#closeOne(thread: MachineThread, toys: Toy[], toy: Toy): Routine<void> {
    toys.splice(toys.indexOf(toy), 1);
    const owner = this.stack.guests.toys[toy.id] === toy ? this.stack.guests : this.stack.toys;
    yield* owner.close(thread, toy);
  }

  #toy(numbers: Numbers, toys: Toy[]): Toy {
    if (toys.length < TOYS_PER_CPU) {
      toys.push((numbers.below(6) === 0 ? this.stack.guests : this.stack.toys).create());
    }
    return numbers.of(toys);
  }

  /** Oracle 5: at rest nobody is above a limit that was not lowered. */
  #checkLimits(): void {
    for (const group of this.stack.controller.groups()) {
      const { usage, max } = group.counters(Resource.SGX_EPC);
      if (BigInt(usage.value) > max.exact && !this.#lowered.has(group.serial)) {
        this.problems.push(`${group.name}: usage ${usage.value} above ${max.exact}`);
      }
    }
  }

  #note(found: readonly string[]): void {
    this.problems.push(...found.slice(0, 3));
  }
}

function* idle(): Routine<void> {}
