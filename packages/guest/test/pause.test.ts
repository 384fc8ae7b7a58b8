import type { Routine } from '@epckit/interface';
import type { MachineThread } from '@epckit/machine';
import { describe, expect, it } from 'vitest';
import type { VirtualCpu, VirtualMachine } from '../src/index.js';
import { GuestProgram, phasedTrace } from '../src/index.js';
import { HostStack } from './host-stack.js';
import { repairedKernel } from './repaired-kernel.js';

/** One enclave is larger than the EPC of the guest, and so are two together. */
const SHARED_PAGES = 40;
const OWN_PAGES = 30;

/**
 * Two virtual CPUs replay, in one enclave or each in its own, while the VMM, on a CPU of its own, does something to the
 * guest.
 */
class Scene {
  readonly stack: HostStack;
  readonly vm: VirtualMachine;
  readonly programs: GuestProgram[];
  readonly vmm: MachineThread;
  readonly #begin: number;

  constructor(oversub: boolean, daemonCpu: number, isShared = true) {
    this.stack = new HostStack({ oversub, epcPages: oversub ? 40 : 90, cpus: 4, lowPages: 2, highPages: 4 });
    const { stack } = this;
    this.vm = stack.vm({
      cpus: [0, 1],
      daemonCpu,
      sections: [{ pageCount: 24 }, { pageCount: 12 }],
      // Two that allocate at once in so little EPC meet L-01 in a kernel of Linux.
      kernel: { ...(isShared ? {} : repairedKernel), lowPages: 2, highPages: 4 },
    });
    const pages = isShared ? SHARED_PAGES : OWN_PAGES;
    const trace = phasedTrace({ pages, workingSet: pages / 2, phases: 2, runsPerPhase: 60 });
    this.programs = (isShared ? ['p'] : ['p', 'q']).map((name) => {
      const options = { name, dataPages: pages, threads: isShared ? 2 : 1 };
      const program = new GuestProgram(this.vm, options, stack.machine);
      stack.guest(this.vm, program.build(this.vm.cpus[0] as VirtualCpu));
      return program;
    });
    this.vmm = stack.threads[3] as MachineThread;
    this.#begin = Math.max(...stack.machine.threads.map(({ clock }) => clock));
    for (const thread of stack.machine.threads) thread.startAt(this.#begin);
    for (const [index, cpu] of this.vm.cpus.entries()) {
      const [program, tcs] = isShared ? [this.programs[0], index] : [this.programs[index], 0];
      const routine = (program as GuestProgram).replay(cpu, trace, tcs);
      stack.machine.start(cpu.thread, this.vm.onCpu(cpu.thread, routine));
    }
  }

  /** Runs, with `action` of the VMM so many cycles after the begin. */
  run(after: number, action: (thread: MachineThread) => Routine<unknown>): void {
    this.vmm.startAt(this.#begin + after);
    this.stack.machine.start(this.vmm, action(this.vmm));
    this.stack.machine.runTimed();
  }

  /** What is wrong, and pages that the end of the guest does not give back. */
  end(): string[] {
    const { stack, vm } = this;
    const found = stack.violations();
    stack.run((thread) => vm.end(thread));
    found.push(...stack.violations());
    const { free } = stack.pools;
    if (free !== stack.frames.pageCount) found.push(`${stack.frames.pageCount - free} pages are leaked`);
    return found;
  }
}

/** Moments spread over a run that takes so many cycles. */
function momentsOf(cycles: number): number[] {
  return Array.from({ length: MOMENTS }, (_, index) => Math.floor((index * cycles) / MOMENTS));
}

const MOMENTS = 30;
const sharedMoments = momentsOf(2_300_000);
const ownMoments = momentsOf(2_300_000);

describe.each([
  ['raw EPC, a daemon on its own CPU', false, 2],
  ['host reclaim, a daemon on its own CPU', true, 2],
  ['host reclaim, a daemon on the CPU of a virtual CPU', true, 0],
])('%s: at any moment', (_, oversub, daemonCpu) => {
  it('a reset lets the host end what it does for threads of the guest', () => {
    const found = sharedMoments.flatMap((after) => {
      const scene = new Scene(oversub, daemonCpu);
      let left: unknown;
      scene.run(after, function* (thread) {
        left = yield* scene.vm.reboot(thread);
      });
      const next = new GuestProgram(scene.vm, { name: 'q', dataPages: 12 }, scene.stack.machine);
      scene.stack.guest(scene.vm, next.build(scene.vm.cpus[0] as VirtualCpu));
      const problems = scene.end();
      if (left !== 0) problems.push(`reboot: ${String(left)}`);
      return problems.map((problem) => `${after}: ${problem}`);
    });
    expect(found).toEqual([]);
  });

  it('an end gives every page back', () => {
    const found = sharedMoments.flatMap((after) => {
      const scene = new Scene(oversub, daemonCpu);
      scene.run(after, (thread) => scene.vm.end(thread));
      return scene.end().map((problem) => `${after}: ${problem}`);
    });
    expect(found).toEqual([]);
  });

  it('a migration lets it go on with new instances', () => {
    const found = ownMoments.flatMap((after) => {
      const scene = new Scene(oversub, daemonCpu, false);
      let result: unknown;
      scene.run(after, function* (thread) {
        result = yield* scene.vm.migrate(thread);
      });
      const { stopReason } = scene.vm;
      const accesses = scene.programs.map((program) => program.accesses);
      const problems = scene.end();
      if (result !== 0) problems.push(`migrate: ${String(result)}`);
      if (accesses.some((count) => count !== 120_000)) problems.push(`accesses: ${accesses.join()}`);
      if (stopReason !== '') problems.push(`stopped: ${stopReason}`);
      return problems.map((problem) => `${after}: ${problem}`);
    });
    expect(found).toEqual([]);
  });
});
