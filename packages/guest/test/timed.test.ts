import { describe, expect, it } from 'vitest';
import type { VirtualCpu, VirtualMachine } from '../src/index.js';
import { GuestProgram, phasedTrace } from '../src/index.js';
import { HostStack } from './host-stack.js';

/** A vCPU per CPU, each replays in one enclave of its guest; daemons of guests have CPUs of their own. */
function runAll(
  stack: HostStack,
  vms: VirtualMachine[],
  dataPages: number,
  workingSet: number,
): GuestProgram[] {
  const programs = vms.map((vm) => {
    const made = new GuestProgram(vm, { name: 'p', dataPages, threads: vm.cpus.length }, stack.machine);
    stack.guest(vm, made.build(vm.cpus[0] as VirtualCpu));
    return made;
  });
  const begin = Math.max(...stack.machine.threads.map(({ clock }) => clock));
  for (const thread of stack.machine.threads) thread.startAt(begin);
  for (const [index, vm] of vms.entries()) {
    for (const [tcs, cpu] of vm.cpus.entries()) {
      const trace = phasedTrace({
        pages: dataPages,
        workingSet,
        phases: 3,
        runsPerPhase: 150,
        referencesPerRun: 50_000,
        seed: 7 * index + tcs,
      });
      const routine = (programs[index] as GuestProgram).replay(cpu, trace, tcs);
      stack.machine.start(cpu.thread, vm.onCpu(cpu.thread, routine));
    }
  }
  stack.machine.runTimed();
  return programs;
}

describe.each([
  ['raw EPC', false],
  ['host reclaim', true],
])('timed world, %s', (_, oversub) => {
  it('a guest with two virtual CPUs and more enclave pages than EPC', () => {
    const stack = new HostStack({ oversub, epcPages: 96, cpus: 3 });
    const vm = stack.vm({
      cpus: [0, 1],
      daemonCpu: 2,
      sections: [{ pageCount: 48 }],
      kernel: { lowPages: 4, highPages: 8 },
    });
    const [program] = runAll(stack, [vm], 80, 24) as [GuestProgram];
    expect(vm.stopReason).toBe('');
    expect([program.accesses, program.rebuilds]).toEqual([45_000_000, 0]);
    expect(vm.kernel.ipi.rounds).toBeGreaterThan(0);
    expect(stack.violations()).toEqual([]);
  });

  it('two guests at once', () => {
    const stack = new HostStack({ oversub, epcPages: oversub ? 90 : 140, cpus: 6 });
    const kernel = { lowPages: 4, highPages: 8 };
    const vms = [0, 1].map((index) => {
      const first = 3 * index;
      return stack.vm({
        cpus: [first, first + 1],
        daemonCpu: first + 2,
        sections: [{ pageCount: 64 }],
        kernel,
      });
    });
    const programs = runAll(stack, vms, 52, 20);
    expect(vms.map(({ stopReason }) => stopReason)).toEqual(['', '']);
    expect(programs.map(({ accesses }) => accesses)).toEqual([45_000_000, 45_000_000]);
    expect(stack.violations()).toEqual([]);
    expect(stack.ipi.rounds > 0).toBe(oversub);
    for (const vm of vms) stack.run((thread) => vm.end(thread));
    expect(stack.violations()).toEqual([]);
    expect(stack.pools.free).toBe(stack.frames.pageCount);
  });
});

it('a guest that cannot have its page is stopped in the middle, with all its virtual CPUs', () => {
  const stack = new HostStack({ epcPages: 40, cpus: 3 });
  const vm = stack.vm({
    cpus: [0, 1],
    daemonCpu: 2,
    sections: [{ pageCount: 64 }],
    kernel: { lowPages: 1, highPages: 2 },
  });
  const programs = [0, 1].map(
    (index) => new GuestProgram(vm, { name: `p${index}`, dataPages: 30 }, stack.machine),
  );
  for (const [index, cpu] of vm.cpus.entries()) {
    stack.machine.start(cpu.thread, vm.onCpu(cpu.thread, (programs[index] as GuestProgram).build(cpu)));
  }
  stack.machine.runTimed();
  expect([vm.state, vm.stopReason]).toEqual(['stopped', 'error: kvm run failed Bad address']);
  expect(stack.machine.threads.filter(({ held }) => held.length > 0)).toEqual([]);
  expect(stack.violations()).toEqual([]);
  stack.run((thread) => vm.end(thread));
  expect(stack.pools.free).toBe(40);
});
