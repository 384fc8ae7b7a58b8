import type { ChargeController, LeafResult, Probe, Routine, Thread } from '@epckit/interface';
import {
  Attribute,
  Errno,
  isExit,
  Leaf,
  LeafFault,
  leafNames,
  NONE,
  OwnerKind,
  PageOperand,
  SgxCode,
  servedByHost,
} from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import type { VirtualCpu, VirtualMachine } from '../src/index.js';
import { GuestProgram } from '../src/index.js';
import { HostStack } from './host-stack.js';

const kernel = { lowPages: 1, highPages: 2 };

/** A group without reclaim; a pending signal ends the attempt to charge. */
class LimitedGroup implements ChargeController {
  usage = 0;
  refusals = 0;
  reclaims = 0;
  readonly #limit: number;
  readonly #pages = new Set<number>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  *charge(thread: Thread, mayReclaim: boolean): Routine<number> {
    if (mayReclaim) this.reclaims++;
    if (thread.signalPending) return -Errno.ERESTARTSYS;
    if (this.usage < this.#limit) return this.#add(1);
    this.refusals++;
    return -Errno.ENOMEM;
  }

  *cancel(): Routine<void> {
    this.#add(-1);
  }

  *assign(_thread: Thread, page: number): Routine<void> {
    this.#pages.add(page);
  }

  *uncharge(_thread: Thread, page: number): Routine<void> {
    if (this.#pages.delete(page)) this.#add(-1);
  }

  *reclaimDirect(): Routine<void> {
    this.reclaims++;
  }

  refusedBy(): number {
    return 0;
  }

  #add(pages: number): number {
    this.usage += pages;
    return 0;
  }
}

/** One leaf of the guest's kernel, repeated after each exit. */
function* leaf(vm: VirtualMachine, cpu: VirtualCpu, execute: () => LeafResult): Routine<LeafResult> {
  let result: LeafResult;
  do result = execute();
  while (isExit(result) && (yield* servedByHost(vm.kernel.hardware, cpu.thread)));
  return result;
}

const run = (stack: HostStack, vm: VirtualMachine, execute: (cpu: number) => LeafResult, index = 0) => {
  const cpu = vm.cpus[index] as VirtualCpu;
  return stack.guest(
    vm,
    leaf(vm, cpu, () => execute(cpu.id)),
    index,
  );
};

const source = { basePage: 64, pageCount: 16, attributes: Attribute.MODE64BIT, ssaFrameSize: 1 };

/** Guest pages that were touched, without the kernel's own cleaning: an instance of its own. */
const touched = (vm: VirtualMachine) => vm.instances.reduce((sum, { pages }) => sum + pages.count, 0);

describe('scenarios of the reference that concern guests', () => {
  it('S-01: two virtual CPUs touch the same page that is not backed: one page', () => {
    const stack = new HostStack({ cpus: 3 });
    const vm = stack.vm({ cpus: [0, 1], daemonCpu: 2, sections: [{ pageCount: 8 }], kernel });
    stack.run((thread) => vm.migrate(thread));
    const before = touched(vm);
    for (const cpu of vm.cpus) {
      const touch = leaf(vm, cpu, () => vm.kernel.hardware.eremove(cpu.id, 3));
      stack.machine.start(cpu.thread, vm.onCpu(cpu.thread, touch));
    }
    stack.machine.runTimed();
    expect([before, touched(vm)]).toEqual([0, 1]);
    expect(vm.violations).toBeGreaterThan(8);
    expect(stack.violations()).toEqual([]);
  });

  it('S-02, S-04: the EPC is full of native enclaves: ksgxd is woken, the fault retried', () => {
    const stack = new HostStack({ epcPages: 24, lowPages: 2, highPages: 4 });
    const vm = stack.vm({ sections: [{ pageCount: 2 }], kernel: { lowPages: 0, highPages: 0 } });
    const more = stack.vm({ cpus: [1], sections: [{ pageCount: 1 }], kernel: { lowPages: 0, highPages: 0 } });
    stack.run((thread) => more.migrate(thread));
    stack.nativeEnclave(15);
    // Takes the rest for a guest that does nothing with it.
    while (stack.pools.free > 0) {
      const page = stack.run((thread) => stack.allocator.alloc(thread, OwnerKind.NONE, 0, 0, false));
      if (page < 0) break;
    }
    expect(stack.pools.free).toBe(0);
    expect(run(stack, more, (cpu) => more.kernel.hardware.epa(cpu, 0))).toBe(0);
    expect([vm.state, more.state, touched(more)]).toEqual(['running', 'running', 1]);
  });

  it('S-03: the group is at its limit: the guest is stopped, nobody reclaims, the usage stays', () => {
    const group = new LimitedGroup(4);
    const stack = new HostStack({ charge: group });
    const vm = stack.vm({ sections: [{ pageCount: 8 }], kernel });
    expect([vm.state, vm.stopReason]).toEqual(['stopped', 'error: kvm run failed Bad address']);
    expect([group.usage, group.refusals, group.reclaims, touched(vm)]).toEqual([4, 1, 0, 4]);
    stack.run((thread) => vm.end(thread));
    expect([group.usage, stack.pools.free]).toEqual([0, stack.frames.pageCount]);
    expect(stack.violations()).toEqual([]);
  });

  it('S-19: a signal during the fault at the limit is handled, and the access comes again', () => {
    const group = new LimitedGroup(64);
    const stack = new HostStack({ charge: group, oversub: true });
    const vm = stack.vm({ sections: [{ pageCount: 8 }], kernel });
    stack.run((thread) => vm.migrate(thread));
    const { thread } = vm.cpus[0] as VirtualCpu;
    thread.signalPending = true;
    const before = vm.violations;
    expect(run(stack, vm, (cpu) => vm.kernel.hardware.eremove(cpu, 0))).toBe(0);
    expect([vm.state, vm.violations - before, thread.signalPending]).toEqual(['running', 2, false]);
    expect(stack.violations()).toEqual([]);
  });

  it('S-05: the EPC is full of raw guest pages: a further touch stops the guest, nothing is reclaimable', () => {
    const stack = new HostStack({ epcPages: 16 });
    const vm = stack.vm({ sections: [{ pageCount: 20 }], kernel });
    expect([vm.state, vm.stopReason]).toEqual(['stopped', 'error: kvm run failed Bad address']);
    const native = () => stack.nativeEnclave(2);
    expect(native).toThrow(/CREATE: -12/);
    stack.run((thread) => vm.end(thread));
    expect(native).not.toThrow();
    expect(stack.violations()).toEqual([]);
  });

  it('with host reclaim the same guest runs', () => {
    const stack = new HostStack({ epcPages: 20, oversub: true, lowPages: 1, highPages: 2 });
    const vm = stack.vm({ sections: [{ pageCount: 24 }], kernel });
    const program = new GuestProgram(vm, { name: 'p', dataPages: 18 }, stack.machine);
    stack.guest(vm, program.build(vm.cpus[0] as VirtualCpu));
    expect([vm.state, vm.evictedPages() > 0]).toEqual(['running', true]);
    expect(stack.violations()).toEqual([]);
  });

  it('S-20: ECREATE with PROVISIONKEY that is not allowed is #GP, and changes nothing', () => {
    const stack = new HostStack();
    const vm = stack.vm({ sections: [{ pageCount: 4 }], kernel });
    const { changes } = stack.hardware;
    const wanted = { ...source, attributes: Attribute.MODE64BIT | Attribute.PROVISIONKEY };
    expect(run(stack, vm, (cpu) => vm.kernel.hardware.ecreate(cpu, 0, wanted))).toBe(LeafFault.GP);
    expect(stack.hardware.changes).toBe(changes);
    const allowed = stack.vm({
      cpus: [1],
      sections: [{ pageCount: 4 }],
      kernel,
      isProvisioningAllowed: true,
    });
    expect(run(stack, allowed, (cpu) => allowed.kernel.hardware.ecreate(cpu, 0, wanted))).toBe(0);
    // A guest that may do what the processor can is not looked at.
    expect([vm.trappedLeaves, allowed.trappedLeaves]).toEqual([1, 0]);
  });

  it('S-14: two ETRACKs of the guest itself, the host idle: delivered, not repeated', () => {
    const stack = new HostStack({ oversub: true, features: { sgx2: true } });
    const vm = stack.vm({ cpus: [0, 1], sections: [{ pageCount: 8 }], kernel });
    const { hardware } = vm.kernel;
    const secinfo = (type: number) => (type === 1 ? 0 : 3) | (type << 8);
    run(stack, vm, (cpu) => hardware.ecreate(cpu, 0, source));
    run(stack, vm, (cpu) => hardware.eadd(cpu, 1, 0, 64, secinfo(1), 0));
    expect(run(stack, vm, (cpu) => hardware.einit(cpu, 0, {}))).toBe(0);
    expect(run(stack, vm, (cpu) => hardware.eenter(cpu, 1, 64), 1)).toBe(0);
    const track = () => run(stack, vm, (cpu) => hardware.etrack(cpu, 0));
    expect([track(), track(), track()]).toEqual([0, SgxCode.PREV_TRK_INCMPL, SgxCode.PREV_TRK_INCMPL]);
    expect([vm.conflicts, stack.vepc.oversub?.conflicts.delivered]).toEqual([2, 2]);
    hardware.aex(1);
    expect(track()).toBe(0);
  });

  it('V-42: leaves of hosts do not reach the processor', () => {
    const leaves: string[] = [];
    const note: Probe['leaf'] = (_, id) => void leaves.push(leafNames[id] as string);
    const probe = new Proxy({} as Probe, { get: (_, name) => (name === 'leaf' ? note : () => {}) });
    const stack = new HostStack({ probe });
    const vm = stack.vm({ sections: [{ pageCount: 4 }], kernel });
    const { hardware } = vm.kernel;
    const blob = { contents: 0, secinfo: 0, enclaveId: 0, linearPage: 0, macLow: 0, macHigh: 0 };
    const info = { status: 0, flags: 0, blocked: false, context: 0 };
    leaves.length = 0;
    const results = [
      run(stack, vm, (cpu) => hardware.erdinfo(cpu, 0, info)),
      run(stack, vm, (cpu) => hardware.etrackc(cpu)),
      run(stack, vm, (cpu) => hardware.eldbc(cpu)),
      run(stack, vm, (cpu) => hardware.elduc(cpu)),
      run(stack, vm, (cpu) => hardware.eupdatesvn(cpu)),
      hardware.eincvirtchild(),
      hardware.edecvirtchild(),
      hardware.esetcontext(),
    ];
    expect(results).toEqual([...Array(5).fill(LeafFault.GP), ...Array(3).fill(LeafFault.UD)]);
    expect(leaves).toEqual([]);
    expect(run(stack, vm, (cpu) => hardware.ewb(cpu, 0, 1, 0, blob))).toBe(LeafFault.PF);
  });

  it('operands that name no EPC page of the guest reach no page of the host', () => {
    const stack = new HostStack({ features: { sgx2: true } });
    const vm = stack.vm({ sections: [{ pageCount: 4 }], kernel });
    const { hardware } = vm.kernel;
    for (const page of [4, 63, NONE, -2, -3]) {
      expect(run(stack, vm, (cpu) => hardware.eremove(cpu, page))).not.toBe(0);
      const fault = page === PageOperand.MISALIGNED ? LeafFault.GP : LeafFault.PF;
      expect(run(stack, vm, (cpu) => hardware.ecreate(cpu, page, source))).toBe(fault);
      expect(run(stack, vm, (cpu) => hardware.einit(cpu, page, {}))).toBe(fault);
    }
  });

  it('SGX without the firmware: every leaf is #GP; without SGX in CPUID #UD', () => {
    const stack = new HostStack();
    const vm = stack.vm({ sections: [{ pageCount: 4 }], kernel });
    for (const vcpu of vm.kvm.vcpus) vcpu.reset();
    const { hardware } = vm.kernel;
    expect(run(stack, vm, (cpu) => hardware.epa(cpu, 0))).toBe(LeafFault.GP);
    for (const vcpu of vm.kvm.vcpus) {
      vcpu.setCpuid({ ...vcpu.cpuid, leaf7: { eax: 0, ebx: 0, ecx: 0, edx: 0 } });
    }
    expect(run(stack, vm, (cpu) => hardware.epa(cpu, 0))).toBe(LeafFault.UD);
    expect(vm.vcpuOf(0).intercepts(Leaf.EPA)).toBe(true);
  });
});
