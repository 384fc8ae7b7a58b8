import type { Routine } from '@epckit/interface';
import { NONE } from '@epckit/interface';
import type { MachineThread } from '@epckit/machine';
import { describe, expect, it } from 'vitest';
import type { GuestKernelOptions, VirtualCpu, VirtualMachine } from '../src/index.js';
import { GuestProgram, phasedTrace } from '../src/index.js';
import { HostStack } from './host-stack.js';
import { repairedKernel } from './repaired-kernel.js';

const marks = { lowPages: 2, highPages: 4 };
const kernels: readonly [string, GuestKernelOptions][] = [
  ['linux-6', marks],
  ['repaired', { ...repairedKernel, ...marks }],
];

/** Builds an enclave that nobody will close. */
function build(stack: HostStack, vm: VirtualMachine, name: string, dataPages: number): GuestProgram {
  const program = new GuestProgram(vm, { name, dataPages }, stack.machine);
  stack.guest(vm, program.build(vm.cpus[0] as VirtualCpu));
  return program;
}

describe.each(kernels)('lost enclaves that nobody closes are reclaimed by a guest with %s', (_, kernel) => {
  it.each([
    ['one that filled the EPC', [40]],
    ['some that shared it', [30, 30, 30]],
    ['many with little but a SECS each', Array.from({ length: 11 }, () => 1)],
  ])('%s', (_name, lost) => {
    const stack = new HostStack({ epcPages: 120 });
    const vm = stack.vm({ daemonCpu: 1, sections: [{ pageCount: 48 }], kernel });
    for (const [index, pages] of lost.entries()) build(stack, vm, `lost ${index}`, pages);
    stack.run((thread) => vm.migrate(thread));
    const program = build(stack, vm, 'next', 60);
    const all = phasedTrace({ pages: 60, workingSet: 60, phases: 1, runsPerPhase: 200 });
    stack.guest(vm, program.replay(vm.cpus[0] as VirtualCpu, all));
    expect([program.accesses, program.rebuilds]).toEqual([200_000, 0]);
    for (const enclave of vm.kernel.driver.enclaves().slice(0, -1)) {
      expect([enclave.children, enclave.secs]).toEqual([0, NONE]);
    }
    expect(stack.violations()).toEqual([]);
    stack.run((thread) => vm.end(thread));
    expect(stack.pools.free).toBe(120);
  });
});

const THREADS = 3;
const PAGES = 30;
const trace = (seed: number) =>
  phasedTrace({ pages: PAGES, workingSet: PAGES / 2, phases: 2, runsPerPhase: 60, seed });

/** Three threads replay in one enclave. */
class Threads {
  readonly stack: HostStack;
  readonly vm: VirtualMachine;
  readonly program: GuestProgram;
  readonly vmm: MachineThread;

  constructor(oversub: boolean, pageCount = 28) {
    this.stack = new HostStack({ oversub, epcPages: 2 * pageCount + 8, cpus: 6, lowPages: 2, highPages: 4 });
    const { stack } = this;
    const kernel = { ...repairedKernel, ...marks };
    this.vm = stack.vm({ cpus: [0, 1, 2], daemonCpu: 3, sections: [{ pageCount }], kernel });
    this.program = new GuestProgram(
      this.vm,
      { name: 'p', dataPages: PAGES, threads: THREADS },
      stack.machine,
    );
    stack.guest(this.vm, this.program.build(this.vm.cpus[0] as VirtualCpu));
    this.vmm = stack.threads[4] as MachineThread;
  }

  /** What each thread does. */
  routines(): [MachineThread, Routine<unknown>][] {
    return this.vm.cpus.map((cpu, tcs) => [
      cpu.thread,
      this.vm.onCpu(cpu.thread, this.program.replay(cpu, trace(tcs), tcs)),
    ]);
  }

  /** What the EPC is lost by. */
  *lose(how: string): Routine<void> {
    if (how === 'sleep') this.stack.hardware.powerCycle();
    if (how === 'sleep') yield* this.vm.wakeFromSleep(this.vmm);
    else expect(yield* this.vm.migrate(this.vmm)).toBe(0);
  }

  /** Accesses of a run and what is wrong afterwards, with the end of everything. */
  end(): unknown[] {
    const { stack, vm, program } = this;
    const found: unknown[] = [program.accesses, vm.stopReason, ...stack.violations()];
    stack.guest(vm, program.end(vm.cpus[0] as VirtualCpu));
    found.push(...stack.violations(), ...vm.kernel.driver.enclaves());
    stack.run((thread) => vm.end(thread));
    return [...found, ...stack.violations(), stack.frames.pageCount - stack.pools.free];
  }
}

const sound = [THREADS * 120_000, '', 0];

describe.each(['migration', 'sleep'])('after a loss of EPC by %s', (how) => {
  it.each([
    ['raw EPC', false],
    ['host reclaim', true],
  ])('all threads of an enclave go on, whenever it is, %s', (_, oversub) => {
    for (let moment = 0; moment < 15; moment++) {
      const threads = new Threads(oversub);
      const { machine } = threads.stack;
      const begin = Math.max(...machine.threads.map(({ clock }) => clock));
      for (const thread of machine.threads) thread.startAt(begin);
      for (const [thread, routine] of threads.routines()) machine.start(thread, routine);
      threads.vmm.startAt(begin + moment * 90_000);
      machine.start(threads.vmm, threads.lose(how));
      machine.runTimed();
      expect([moment, threads.program.rebuilds]).toEqual([moment, 1]);
      expect(threads.end()).toEqual(sound);
    }
  });

  it('all threads of an enclave go on in the direct world', () => {
    for (let steps = 1; steps < 400; steps += 50) {
      const threads = new Threads(false);
      const routines = threads.routines();
      // One point after the other, in turn, as far as nobody waits for the others.
      const step = ([thread, routine]: (typeof routines)[number]) => {
        if (thread.blockedOn?.canProceed(thread) === false) return false;
        thread.limit = -1;
        return routine.next().done === true;
      };
      for (let at = 0; at < steps; at++) for (const each of routines) step(each);
      threads.stack.run(() => threads.lose(how));
      const left = new Set(routines);
      for (let rounds = 0; left.size > 0 && rounds < 100_000; rounds++) {
        for (const each of left) if (step(each)) left.delete(each);
        threads.stack.machine.runKernelThreads();
      }
      expect([left.size, threads.program.rebuilds]).toEqual([0, 1]);
      for (const { thread } of threads.vm.cpus) thread.limit = 0;
      expect(threads.end()).toEqual(sound);
    }
  });
});

it('a loss while the enclave is built begins the build again', () => {
  const found = [];
  for (let moment = 0; moment < 30; moment++) {
    const threads = new Threads(false);
    const { vm, stack, vmm } = threads;
    const { machine } = stack;
    const other = new GuestProgram(vm, { name: 'q', dataPages: PAGES, isMeasured: true }, machine);
    const begin = Math.max(...machine.threads.map(({ clock }) => clock));
    for (const thread of machine.threads) thread.startAt(begin);
    const [cpu] = vm.cpus as [VirtualCpu];
    machine.start(cpu.thread, vm.onCpu(cpu.thread, other.build(cpu)));
    vmm.startAt(begin + moment * 100_000);
    machine.start(vmm, threads.lose('migration'));
    machine.runTimed();
    found.push(other.rebuilds);
    stack.guest(vm, other.replay(cpu, trace(1)));
    expect([other.accesses, vm.stopReason, ...stack.violations()]).toEqual([120_000, '']);
  }
  expect(new Set(found)).toEqual(new Set([0, 1]));
});

it('threads that wait for a build end with a guest that is stopped', () => {
  for (let moment = 0; moment < 20; moment++) {
    const threads = new Threads(false);
    const { machine } = threads.stack;
    const begin = Math.max(...machine.threads.map(({ clock }) => clock));
    for (const thread of machine.threads) thread.startAt(begin);
    for (const [thread, routine] of threads.routines()) machine.start(thread, routine);
    threads.vmm.startAt(begin + 100_000);
    const { vm, vmm } = threads;
    machine.start(
      vmm,
      (function* () {
        yield* threads.lose('migration');
        vmm.waitUntil(vmm.clock + moment * 30_000, 0);
        yield vm.mm.cpusWriting;
        yield* vm.end(vmm);
      })(),
    );
    machine.runTimed();
    expect([vm.state, ...threads.stack.violations()]).toEqual(['ended']);
    expect(threads.stack.pools.free).toBe(threads.stack.frames.pageCount);
  }
});
