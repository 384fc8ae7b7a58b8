import type { LeafResult, Routine, Schedule, Thread } from '@epckit/interface';
import {
  Attribute,
  Cost,
  EpckitError,
  FrameFlag,
  isExit,
  Mode,
  op,
  PageType,
  SecInfo,
  SgxCode,
  servedByHost,
} from '@epckit/interface';
import type { MachineThread } from '@epckit/machine';
import type { OversubRecipes } from '@epckit/vepc';
import { describe, expect, it } from 'vitest';
import { mutants } from '../../vepc/test/oversub/mutants.js';
import type { VirtualCpu, VirtualMachine } from '../src/index.js';
import { GuestProgram, phasedTrace } from '../src/index.js';
import { HostStack } from './host-stack.js';

/** A schedule by chance that gives the evictor its share. */
class Chance implements Schedule {
  #state: number;
  readonly #favourite: number;

  constructor(seed: number, favourite: number) {
    this.#state = (seed * 2654435761) >>> 0;
    this.#favourite = favourite;
  }
  begin(): boolean {
    return true;
  }
  choose(enabled: readonly Thread[]): number {
    const favourite = enabled.findIndex(({ id }) => id === this.#favourite);
    if (favourite >= 0 && this.#next() < 0.3) return favourite;
    return Math.floor(this.#next() * enabled.length);
  }
  #next(): number {
    this.#state = (Math.imul(this.#state, 1664525) + 1013904223) >>> 0;
    return this.#state / 2 ** 32;
  }
}

/** Tries of the evictor, each on the next page that could be evicted. */
const TRIES = 120;

/** Evicts one page after another, again and again, beside the guest. */
function* evictor(stack: HostStack, thread: MachineThread): Routine<void> {
  const { frames, vepc, machine } = stack;
  const idling = op(machine.objects.range('evictor', 1), Mode.ADD);
  const isCandidate = (page: number) => {
    return (frames.peekFlags(page) & FrameFlag.TRACKED) !== 0;
  };
  for (let tries = 0, page = 0; tries < TRIES; tries++, page++) {
    if (thread.spend(Cost.STEP) > thread.limit) yield idling;
    let looked = 0;
    while (looked++ < frames.pageCount && !isCandidate(page % frames.pageCount)) page++;
    const target = page % frames.pageCount;
    if (!isCandidate(target)) continue;
    // A page is given to an instance under the lock of that instance: after it its owner can be read.
    for (const { lock } of vepc.instances()) {
      while (lock.mustWait(thread)) yield lock.acquire;
      lock.release(thread);
    }
    yield* vepc.oversub?.evict(thread, stack.placeOf(target)) as Routine<number>;
  }
}

/** Message and details. */
function describeError(error: Error): string {
  const details = error instanceof EpckitError ? error.details : [];
  return [error.message, ...details].join('; ');
}

/** One execution: a guest builds an enclave, uses it and ends it while the host evicts. @returns what went wrong, or null */
function execute(seed: number, recipes: OversubRecipes = {}): string | null {
  const stack = new HostStack({
    oversub: true,
    epcPages: 40,
    checking: true,
    recipes,
    lowPages: 0,
    highPages: 0,
  });
  const sections = [{ pageCount: 5 }, { pageCount: 7 }];
  const vm = stack.vm({ cpus: [0, 1], daemonCpu: 2, sections, kernel: { lowPages: 0, highPages: 0 } });
  const program = new GuestProgram(vm, { name: 'p', dataPages: 3 }, stack.machine);
  const cpu = vm.cpus[0] as VirtualCpu;
  const trace = phasedTrace({ pages: 3, workingSet: 3, phases: 1, runsPerPhase: 6, seed });
  let isDone = false;
  const guest = function* (): Routine<void> {
    yield* program.build(cpu);
    yield* program.replay(cpu, trace);
    yield* program.end(cpu);
    isDone = vm.kernel.pools.free === vm.epc.pageCount;
  };
  const host = stack.threads[3] as MachineThread;
  stack.machine.start(cpu.thread, vm.onCpu(cpu.thread, guest()));
  stack.machine.start(host, evictor(stack, host));
  const result = stack.machine.runExplored(new Chance(seed, host.id), { maxSteps: 100_000 });
  if (result.error !== undefined) return describeError(result.error);
  if (result.status !== 'done' && result.status !== 'stuck') return result.status;
  if (vm.state !== 'running') return vm.stopReason;
  if (!isDone) return 'the guest has not ended its program';
  return stack.violations()[0] ?? null;
}

const TURNS = 24;
const RW = SecInfo.R | SecInfo.W | (PageType.REG << SecInfo.TYPE_SHIFT);
const SOURCE = {
  basePage: 64,
  pageCount: 16,
  attributes: Attribute.MODE64BIT | Attribute.DEBUG,
  ssaFrameSize: 1,
};

/** Leaves of one virtual CPU, each repeated after its exits; notes the first one that gives something unexpected. */
class Leaves {
  wrong: string | null = null;
  readonly #vm: VirtualMachine;
  readonly #cpu: VirtualCpu;
  #step = 0;

  constructor(vm: VirtualMachine, cpu: VirtualCpu) {
    this.#vm = vm;
    this.#cpu = cpu;
  }

  *expect(what: string, expected: number, page: number, execute: (cpu: number) => LeafResult): Routine<void> {
    const { hardware } = this.#vm.kernel;
    const { thread, id } = this.#cpu;
    this.#step++;
    let result: LeafResult;
    do {
      if (thread.spend(Cost.STEP) > thread.limit) yield hardware.leafAt(page);
      result = execute(id);
    } while (isExit(result) && (yield* servedByHost(hardware, thread)));
    if (result !== expected) this.wrong ??= `step ${this.#step}: ${what} gives ${result}, not ${expected}`;
  }
}

/** SECS in page 0, children behind it, the last of them blocked by the guest. */
function* buildByLeaves(
  { kernel: { hardware } }: VirtualMachine,
  leaves: Leaves,
  children: number,
): Routine<void> {
  yield* leaves.expect('ECREATE', 0, 0, (cpu) => hardware.ecreate(cpu, 0, SOURCE));
  for (let page = 1; page <= children; page++) {
    const eadd = (cpu: number) => hardware.eadd(cpu, page, 0, 64 + page, RW, 100 + page);
    yield* leaves.expect('EADD', 0, page, eadd);
  }
  yield* leaves.expect('EBLOCK', 0, children, (cpu) => hardware.eblock(cpu, children));
}

/** Reads what a debugger may read, and finds BLOCKED where it was set. */
function* readLeaves(
  { kernel: { hardware } }: VirtualMachine,
  leaves: Leaves,
  children: number,
): Routine<void> {
  const word = { value: 0n };
  for (let turn = 0; turn < TURNS; turn++) {
    const page = 1 + (turn % children);
    yield* leaves.expect('EDBGRD', 0, page, (cpu) => hardware.edbgrd(cpu, page, 0, word));
    if (word.value !== BigInt(100 + page)) leaves.wrong ??= `page ${page} reads ${word.value}`;
    const again = (cpu: number) => hardware.eblock(cpu, children);
    yield* leaves.expect('EBLOCK again', SgxCode.BLSTATE, children, again);
  }
}

/** Tries to remove the SECS, and makes of another page now this, now that. */
function* probeLeaves(
  { kernel: { hardware } }: VirtualMachine,
  leaves: Leaves,
  children: number,
): Routine<void> {
  const other = children + 1;
  const word = { value: 0n };
  for (let turn = 0; turn < TURNS; turn++) {
    yield* leaves.expect('EREMOVE of the SECS', SgxCode.CHILD_PRESENT, 0, (cpu) => hardware.eremove(cpu, 0));
    if (turn % 3 === 0) yield* leaves.expect('EDBGRD', 0, 1, (cpu) => hardware.edbgrd(cpu, 1, 0, word));
    yield* leaves.expect('EREMOVE of the SECS', SgxCode.CHILD_PRESENT, 0, (cpu) => hardware.eremove(cpu, 0));
    // With a second child the SECS would be safe in any case.
    const eadd = (cpu: number) => hardware.eadd(cpu, other, 0, 64 + other, RW, 0);
    if (children > 1) yield* leaves.expect('EADD', 0, other, eadd);
    yield* leaves.expect('EREMOVE', 0, other, (cpu) => hardware.eremove(cpu, other));
    yield* leaves.expect('EPA', 0, other, (cpu) => hardware.epa(cpu, other));
    yield* leaves.expect('EREMOVE', 0, other, (cpu) => hardware.eremove(cpu, other));
  }
}

/** Two virtual CPUs execute leaves while the host evicts; then everything must be evictable, and the end be clean. */
function executeLeaves(seed: number, recipes: OversubRecipes = {}): string | null {
  const stack = new HostStack({
    oversub: true,
    epcPages: 40,
    checking: true,
    recipes,
    lowPages: 0,
    highPages: 0,
  });
  const sections = [{ pageCount: 2 }, { pageCount: 4 }];
  const vm = stack.vm({ cpus: [0, 1], daemonCpu: 2, sections, kernel: { lowPages: 0, highPages: 0 } });
  const [first, second] = vm.cpus as [VirtualCpu, VirtualCpu];
  const children = seed % 3 === 0 ? 3 : 1;
  const [reads, probes] = [new Leaves(vm, first), new Leaves(vm, second)];
  stack.guest(vm, buildByLeaves(vm, reads, children));
  const host = stack.threads[3] as MachineThread;
  stack.machine.start(first.thread, vm.onCpu(first.thread, readLeaves(vm, reads, children)));
  stack.machine.start(second.thread, vm.onCpu(second.thread, probeLeaves(vm, probes, children)));
  stack.machine.start(host, evictor(stack, host));
  const result = stack.machine.runExplored(new Chance(seed, host.id), { maxSteps: 100_000 });
  if (result.error !== undefined) return describeError(result.error);
  if (result.status !== 'done' && result.status !== 'stuck') return result.status;
  if (vm.state !== 'running') return vm.stopReason;
  // Everything out and in again, SECS included.
  for (let round = 0; round < 2; round++) {
    stack.run((thread) => evictor(stack, thread), 3);
    const resident = vm.instances.reduce((sum, { pages }) => sum + pages.count, 0);
    if (resident > 0) return `${resident} pages cannot be evicted`;
    stack.guest(vm, readLeaves(vm, reads, children));
    if (vm.state !== 'running') return vm.stopReason;
  }
  const wrong = reads.wrong ?? probes.wrong ?? stack.hostViolations()[0];
  if (wrong !== undefined) return wrong;
  stack.run((thread) => vm.end(thread));
  return stack.pools.free === stack.frames.pageCount ? (stack.hostViolations()[0] ?? null) : 'pages are lost';
}

const SEEDS = 60;
const all = { timeout: 240_000 };

describe('a guest beside an evicting host, in the explored world', () => {
  it('a kernel builds an enclave, uses it and ends it as it does alone', all, () => {
    for (let seed = 1; seed <= 15; seed++) expect([seed, execute(seed)]).toEqual([seed, null]);
  });

  it('leaves of two virtual CPUs give what they give alone', all, () => {
    for (let seed = 1; seed <= SEEDS; seed++) expect([seed, executeLeaves(seed)]).toEqual([seed, null]);
  });

  it.each(Object.entries(mutants))('%s is noticed', all, (_, recipes) => {
    let noticed: string | null = null;
    for (let seed = 1; seed <= 4 * SEEDS && noticed === null; seed++) noticed = executeLeaves(seed, recipes);
    expect(noticed).not.toBeNull();
  });
});
