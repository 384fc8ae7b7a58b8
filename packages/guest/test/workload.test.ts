import { expect, it } from 'vitest';
import { GuestProgram, phasedTrace, type VirtualCpu } from '../src/index.js';
import { HostStack } from './host-stack.js';

it('a guest with more enclave pages than EPC reclaims by itself', () => {
  const stack = new HostStack({ epcPages: 80 });
  const vm = stack.vm({
    cpus: [0, 1],
    daemonCpu: 2,
    sections: [{ pageCount: 48 }],
    kernel: { lowPages: 4, highPages: 8 },
  });
  const program = new GuestProgram(vm, { name: 'p', dataPages: 90, threads: 2 }, stack.machine);
  const [first, second] = vm.cpus as [VirtualCpu, VirtualCpu];
  stack.guest(vm, program.build(first));
  expect(stack.violations()).toEqual([]);
  const trace = phasedTrace({ pages: 90, workingSet: 20, phases: 6, runsPerPhase: 200 });
  stack.guest(vm, program.replay(first, trace, 0));
  expect(stack.violations()).toEqual([]);
  stack.guest(vm, program.replay(second, trace, 1), 1);
  expect(stack.violations()).toEqual([]);
  expect(program.accesses).toBe(2 * 6 * 200 * 1000);
  expect(vm.violations).toBe(48);
  stack.guest(vm, program.end(first));
  expect(stack.violations()).toEqual([]);
  stack.run((thread) => vm.end(thread));
  expect(stack.violations()).toEqual([]);
  expect(stack.pools.free).toBe(80);
});

it('two guests with more EPC than there is share it: the host evicts pages of both', () => {
  const stack = new HostStack({ epcPages: 80, oversub: true, lowPages: 4, highPages: 8 });
  const kernel = { lowPages: 4, highPages: 8 };
  const vms = [0, 1].map((index) => {
    const cpus = [2 * index, 2 * index + 1];
    return stack.vm({ cpus, sections: [{ pageCount: 64 }], kernel });
  });
  const programs = vms.map((vm) => new GuestProgram(vm, { name: 'p', dataPages: 50 }, stack.machine));
  for (const [index, vm] of vms.entries()) {
    stack.guest(vm, (programs[index] as GuestProgram).build(vm.cpus[0] as VirtualCpu));
    expect(stack.violations()).toEqual([]);
  }
  const trace = phasedTrace({ pages: 50, workingSet: 20, phases: 2, runsPerPhase: 100 });
  for (let round = 0; round < 3; round++) {
    for (const [index, vm] of vms.entries()) {
      stack.guest(vm, (programs[index] as GuestProgram).replay(vm.cpus[1] as VirtualCpu, trace), 1);
      expect(stack.violations()).toEqual([]);
    }
  }
  expect(programs.map(({ accesses, rebuilds }) => [accesses, rebuilds])).toEqual([
    [600_000, 0],
    [600_000, 0],
  ]);
  expect(vms.map((vm) => vm.evictedPages() > 0)).toContain(true);
  for (const vm of vms) stack.run((thread) => vm.end(thread));
  expect(stack.violations()).toEqual([]);
  expect(stack.pools.free).toBe(80);
});
