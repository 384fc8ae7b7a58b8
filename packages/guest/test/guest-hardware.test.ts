import type { Probe, Routine } from '@epckit/interface';
import { Access, Attribute, Cost, EPT_EXIT, Leaf, leafNames, servedByHost } from '@epckit/interface';
import type { EvictionId } from '@epckit/vepc';
import { Eviction } from '@epckit/vepc';
import { describe, expect, it } from 'vitest';
import type { VirtualCpu, VirtualMachine } from '../src/index.js';
import { createGuestAccessRecord, GuestProgram } from '../src/index.js';
import { HostStack } from './host-stack.js';

const kernel = { lowPages: 1, highPages: 2 };

interface Built {
  readonly stack: HostStack;
  readonly vm: VirtualMachine;
  readonly cpu: VirtualCpu;
  readonly program: GuestProgram;
  /** Leaves that the processor has executed, with their results. */
  readonly leaves: string[];
}

function built(oversub: boolean): Built {
  const leaves: string[] = [];
  const note: Probe['leaf'] = (_, id, __, result) => void leaves.push(`${leafNames[id] as string} ${result}`);
  const probe = new Proxy({} as Probe, { get: (_, name) => (name === 'leaf' ? note : () => {}) });
  const stack = new HostStack({ oversub, probe });
  const vm = stack.vm({ sections: [{ pageCount: 24 }], daemonCpu: 2, kernel });
  const cpu = vm.cpus[0] as VirtualCpu;
  const program = new GuestProgram(vm, { name: 'p', dataPages: 6 }, stack.machine);
  stack.guest(vm, program.build(cpu));
  leaves.length = 0;
  return { stack, vm, cpu, program, leaves };
}

/** The host evicts a page of the guest, on a CPU of its own: a thread inside an enclave is thrown out by an interrupt. */
function evict({ stack, vm }: Built, page: number): void {
  const host = vm.epc.resident(page);
  const evicted = stack.run(
    (thread) => stack.vepc.oversub?.evict(thread, stack.placeOf(host)) as Routine<EvictionId>,
    3,
  );
  expect(evicted).toBe(Eviction.EVICTED);
  expect(vm.epc.isMapped(page)).toBe(false);
}

describe('what a guest announces to other processors', () => {
  /** ETRACK of the guest refuses EBLOCK of a child on another CPU. */
  function announced(): Built & { readonly child: number; refuses(): boolean } {
    const made = built(true);
    const { stack, vm, program } = made;
    const { hardware } = vm.kernel;
    const { secs, records } = program.enclave;
    const child = records.epc(0);
    hardware.leafAt(secs, 0, Leaf.ETRACK);
    stack.hardware.leafAt(vm.epc.resident(child), 1, Leaf.EBLOCK);
    return { ...made, child, refuses: () => stack.hardware.overlaps.refuses(0, 1) };
  }

  it('is a leaf that it can execute', () => {
    expect(announced().refuses()).toBe(true);
  });

  it('is nothing once the host has taken an operand away', () => {
    const { vm, program, refuses } = announced();
    const table = vm.mm.table((vm.instances[0] as { id: number }).id) as { pte: Uint8Array };
    const entry = table.pte[program.enclave.secs] as number;
    table.pte[program.enclave.secs] = 0;
    expect(refuses()).toBe(false);
    // A leaf that has left the guest is announced again before it is repeated.
    expect(vm.kernel.hardware.etrack(0, program.enclave.secs)).toBe(EPT_EXIT);
    table.pte[program.enclave.secs] = entry;
    expect(refuses()).toBe(false);
  });

  it('is an entry, too: the bitmap is that of ENCLS', () => {
    const { stack, vm, program } = built(true);
    const tcs = program.enclave.records.epc(6);
    vm.kernel.hardware.leafAt(tcs, 0, Leaf.EENTER);
    stack.hardware.leafAt(vm.epc.resident(tcs), 1, Leaf.EREMOVE);
    expect(stack.hardware.overlaps.refuses(1, 0)).toBe(true);
  });

  it('is nothing if the leaf is intercepted', () => {
    const { stack, vm, child, program } = announced();
    const refuses = () => stack.hardware.overlaps.refuses(0, 1);
    expect(refuses()).toBe(true);
    stack.hardware.withdraw(0);
    vm.kernel.hardware.leafAt(program.enclave.secs, 0, Leaf.ECREATE);
    stack.hardware.leafAt(vm.epc.resident(child), 1, Leaf.EREMOVE);
    expect(refuses()).toBe(false);
    vm.kernel.hardware.leafAt(99, 0, Leaf.EREMOVE);
    expect(refuses()).toBe(false);
  });
});

describe('a leaf that leaves the guest', () => {
  it('is executed once, and paid for once', () => {
    const made = built(true);
    const { stack, vm, cpu, program, leaves } = made;
    const page = program.enclave.records.epc(2);
    evict(made, page);
    leaves.length = 0;
    const { hardware } = vm.kernel;
    const before = [...cpu.thread.counts];
    const counted = (key: number) => (cpu.thread.counts[key] as number) - (before[key] as number);
    stack.guest(
      vm,
      (function* () {
        cpu.thread.spend(Cost.EBLOCK);
        while (hardware.eblock(cpu.id, page) === EPT_EXIT) yield* servedByHost(hardware, cpu.thread);
      })(),
    );
    expect(leaves.filter((leaf) => leaf.startsWith('EBLOCK'))).toEqual(['EBLOCK 0']);
    expect(leaves.filter((leaf) => leaf.startsWith('ELDU')).length).toBe(1);
    expect(
      [Cost.EBLOCK, Cost.VM_EXIT, Cost.EPT_VIOLATION, Cost.FAULT_KERNEL, Cost.ELDU].map(counted),
    ).toEqual([1, 1, 1, 1, 1]);
  });

  it('costs a VM exit besides if it is intercepted: the host executes what the guest has paid for', () => {
    const { stack, vm, cpu, leaves } = built(false);
    const { hardware } = vm.kernel;
    const free = vm.kernel.frames.pageCount - 1;
    const source = { basePage: 64, pageCount: 16, attributes: Attribute.MODE64BIT, ssaFrameSize: 1 };
    const before = [...cpu.thread.counts];
    const counted = (key: number) => (cpu.thread.counts[key] as number) - (before[key] as number);
    const routine = (function* () {
      cpu.thread.spend(Cost.ECREATE);
      const first = hardware.ecreate(cpu.id, free, source);
      yield* servedByHost(hardware, cpu.thread);
      return [first < 0, hardware.ecreate(cpu.id, free, source)];
    })();
    expect(stack.guest(vm, routine)?.[1]).toBe(0);
    expect(leaves).toEqual(['ECREATE 0']);
    expect([Cost.ECREATE, Cost.VM_EXIT, Cost.EPT_VIOLATION].map(counted)).toEqual([1, 1, 0]);
  });

  it('an EPT violation inside an enclave is an AEX and a VM exit, an interrupt of the host too', () => {
    const made = built(true);
    const { stack, vm, cpu, program } = made;
    const { enclave } = program;
    const tcs = 6;
    stack.guest(
      vm,
      (function* () {
        yield* cpu.load(program.mm);
        const record = createGuestAccessRecord();
        yield* vm.kernel.accesses.access(cpu, enclave, tcs, Access.READ, 9, record);
        yield* cpu.enter(enclave, tcs);
        for (const page of [0, 3]) {
          yield* vm.kernel.accesses.access(cpu, enclave, page, Access.READ, 9, record);
        }
      })(),
    );
    expect(cpu.isInside).toBe(true);
    const before = [...cpu.thread.counts];
    const counted = (key: number) => (cpu.thread.counts[key] as number) - (before[key] as number);
    expect(vm.interrupts.arrive(cpu.thread as never, cpu.id)).toBe(true);
    vm.interrupts.leave(cpu.thread as never, cpu.id);
    expect([counted(Cost.AEX), counted(Cost.VM_EXIT), counted(Cost.ERESUME)]).toEqual([1, 1, 1]);
    expect(cpu.isInside).toBe(true);
    evict(made, enclave.records.epc(3));
    stack.guest(vm, vm.kernel.accesses.access(cpu, enclave, 3, Access.READ, 9, createGuestAccessRecord()));
    expect(cpu.isInside).toBe(true);
    // Two interrupts, of which the second is that of the eviction, and the violation.
    expect([Cost.AEX, Cost.VM_EXIT, Cost.ERESUME, Cost.EPT_VIOLATION].map(counted)).toEqual([3, 3, 3, 1]);
  });
});
