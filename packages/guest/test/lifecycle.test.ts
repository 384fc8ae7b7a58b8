import { NONE } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import type { VirtualCpu, VirtualMachine } from '../src/index.js';
import { createVirtualMachine, GuestProgram, phasedTrace } from '../src/index.js';
import { HostStack } from './host-stack.js';

const kernel = { lowPages: 2, highPages: 4 };
const trace = phasedTrace({ pages: 10, workingSet: 10, phases: 1, runsPerPhase: 40 });

function program(stack: HostStack, vm: VirtualMachine, dataPages = 10): GuestProgram {
  const made = new GuestProgram(vm, { name: 'p', dataPages }, stack.machine);
  stack.guest(vm, made.build(vm.cpus[0] as VirtualCpu));
  return made;
}

const replay = (stack: HostStack, vm: VirtualMachine, it: GuestProgram) =>
  stack.guest(vm, it.replay(vm.cpus[0] as VirtualCpu, trace));

describe.each([
  ['raw EPC', false],
  ['host reclaim', true],
])('%s', (_, oversub) => {
  const sections = [{ pageCount: 24 }, { pageCount: 8, node: 0 }];

  it('pages come with the first touch, or before with prealloc', () => {
    const stack = new HostStack({ oversub });
    const vm = stack.vm({ sections: [{ pageCount: 8, isPreallocated: true }, { pageCount: 8 }] });
    expect(vm.instances.map(({ pages }) => pages.count)).toEqual([8, 8]);
    expect(stack.violations()).toEqual([]);
  });

  it('a reboot makes all pages unused, and needs a second round for a SECS in another section', () => {
    const stack = new HostStack({ oversub });
    const vm = stack.vm({ sections, kernel });
    const before = program(stack, vm, 26);
    // Some of it is in the second section.
    expect(before.enclave.secs).toBeGreaterThanOrEqual(0);
    expect(stack.run((thread) => vm.reboot(thread))).toBe(0);
    for (let page = 0; page < vm.epc.pageCount; page++) expect(vm.kernel.hardware.isValid(page)).toBe(false);
    expect(stack.violations()).toEqual([]);
    const after = program(stack, vm, 26);
    replay(stack, vm, after);
    expect(after.accesses).toBe(40_000);
    expect(stack.violations()).toEqual([]);
  });

  it('a reboot in the middle of a program ends it', () => {
    const stack = new HostStack({ oversub });
    const vm = stack.vm({ sections, kernel });
    const it = program(stack, vm);
    const { thread } = vm.cpus[0] as VirtualCpu;
    const routine = vm.onCpu(thread, it.replay(vm.cpus[0] as VirtualCpu, trace));
    thread.limit = -1;
    for (let step = 0; step < 30; step++) routine.next();
    expect(vm.cpus[0]?.isInside).toBe(true);
    expect(stack.run((other) => vm.reboot(other), 1)).toBe(0);
    let last = routine.next();
    for (let step = 0; step < 100 && last.done !== true; step++) last = routine.next();
    expect(last).toEqual({ done: true, value: undefined });
    expect(thread.held).toEqual([]);
    expect(stack.violations()).toEqual([]);
  });

  it('the end gives every page back, also of a guest that is killed', () => {
    const stack = new HostStack({ oversub });
    const free = stack.pools.free;
    const vm = stack.vm({ sections, kernel });
    program(stack, vm);
    stack.run((thread) => vm.end(thread));
    stack.run((thread) => vm.end(thread));
    expect([vm.state, stack.pools.free]).toEqual(['ended', free]);
    expect(stack.violations()).toEqual([]);
  });

  it('after a migration the guest finds its EPC lost, and builds its enclave again', () => {
    const stack = new HostStack({ oversub, epcPages: 80 });
    const vm = stack.vm({ sections, kernel });
    const it = program(stack, vm);
    replay(stack, vm, it);
    expect(stack.run((thread) => vm.migrate(thread))).toBe(0);
    expect(stack.violations()).toEqual([]);
    replay(stack, vm, it);
    expect([it.rebuilds, it.accesses]).toEqual([1, 80_000]);
    expect(stack.violations()).toEqual([]);
  });

  it('after a sleep (S3) too', () => {
    const stack = new HostStack({ oversub });
    const vm = stack.vm({ sections, kernel });
    const it = program(stack, vm);
    replay(stack, vm, it);
    stack.hardware.powerCycle();
    stack.run((thread) => vm.wakeFromSleep(thread));
    replay(stack, vm, it);
    expect(it.rebuilds).toBe(1);
    expect(stack.violations()).toEqual([]);
    stack.run((thread) => vm.end(thread));
    expect(stack.violations()).toEqual([]);
  });

  it('broken memory under guest code stops the virtual machine, and the page is never used again (S-17)', () => {
    const stack = new HostStack({ oversub });
    const vm = stack.vm({ sections, kernel });
    const it = program(stack, vm);
    replay(stack, vm, it);
    const page = vm.epc.resident(it.enclave.records.epc(3));
    stack.hardware.poison(page);
    // The next access that misses the hit path sees it.
    it.mm.table(it.enclave.id)?.pte.fill(0);
    expect(replay(stack, vm, it)).toBeUndefined();
    expect([vm.state, vm.stopReason]).toEqual(['stopped', 'memory failure in the EPC of the guest']);
    expect(stack.frames.isPoisoned(page)).toBe(true);
    stack.run((thread) => vm.end(thread));
    expect(stack.frames.listOf(page)).toBe(stack.pools.lists.poison(0));
    expect(stack.violations()).toEqual([]);
  });

  it('two guests at once do not see each other', () => {
    const stack = new HostStack({ oversub, epcPages: 80 });
    const vms = [0, 1].map((cpu) => stack.vm({ cpus: [cpu], sections, kernel }));
    const programs = vms.map((vm) => program(stack, vm, 20));
    for (const [index, vm] of vms.entries()) replay(stack, vm, programs[index] as GuestProgram);
    expect(stack.violations()).toEqual([]);
    stack.run((thread) => (vms[0] as VirtualMachine).end(thread));
    replay(stack, vms[1] as VirtualMachine, programs[1] as GuestProgram);
    expect(programs.map(({ accesses }) => accesses)).toEqual([40_000, 80_000]);
    expect(stack.violations()).toEqual([]);
  });
});

describe('misuse', () => {
  it.each([
    [{ cpus: [] }, /no virtual CPU/],
    [{ cpus: [0, 0] }, /pinned to one CPU/],
    [{ cpus: [9] }, /no CPU 9/],
    [{ sections: [] }, /no EPC section/],
    [{ sections: [{ pageCount: 0 }] }, /has 0 pages/],
  ])('%j', (options, message) => {
    const { host } = new HostStack();
    const make = () =>
      createVirtualMachine({ name: 'v', cpus: [0], sections: [{ pageCount: 4 }], ...options }, host);
    expect(make).toThrow(/cannot be made/);
    try {
      make();
    } catch (error) {
      expect((error as { details: string[] }).details.join()).toMatch(message);
    }
  });

  it('what a virtual machine in another state cannot do', () => {
    const stack = new HostStack();
    const vm = stack.vm();
    expect(() => stack.run((thread) => vm.start(thread))).toThrow(/cannot start/);
    vm.stop('test');
    expect(() => stack.run((thread) => vm.reboot(thread))).toThrow(/cannot reboot/);
    expect(() => stack.run((thread) => vm.migrate(thread))).toThrow(/cannot migrate/);
    expect(vm.epc.pageOf(NONE)).toBe(NONE);
    expect(() => vm.epc.translate(99)).toThrow(/no such EPC page/);
    expect(() => vm.kernel.hardware.powerCycle()).toThrow(/no power of its own/);
  });
});
