import type { EnclaveDriver } from '@epckit/enclave';
import type { AddressSpace, CostKey, LeafResult, Probe, Routine } from '@epckit/interface';
import {
  Access,
  Attribute,
  Cost,
  costNames,
  Leaf,
  Mode,
  NONE,
  op,
  PageType,
  Prot,
  SgxCode,
} from '@epckit/interface';
import type { MachineThread } from '@epckit/machine';
import { createCpuSet } from '@epckit/mm';
import type { EvictionId } from '@epckit/vepc';
import { describe, expect, it } from 'vitest';
import type { EnteredId, VirtualCpu, VirtualMachine } from '../src/index.js';
import { createGuestAccessRecord, Entered, GuestProgram } from '../src/index.js';
import { HostStack } from './host-stack.js';

const kernel = { lowPages: 1, highPages: 2 };
const leaves: readonly CostKey[] = [
  Cost.ECREATE,
  Cost.EADD,
  Cost.EEXTEND,
  Cost.EINIT,
  Cost.EPA,
  Cost.EREMOVE,
  Cost.EBLOCK,
  Cost.ETRACK,
  Cost.EWB,
  Cost.EWB_REFUSED,
];
const exits: readonly CostKey[] = [Cost.VM_EXIT, Cost.EPT_VIOLATION, Cost.FAULT_KERNEL, Cost.ELDU];

interface Row {
  readonly name: string;
  readonly oversub: boolean;
  readonly pages: number;
  readonly isMeasured: boolean;
  /** Is everything of the guest taken away before each system call? */
  readonly isEvicted: boolean;
}

const rows: readonly Row[] = [
  { name: 'raw EPC', oversub: false, pages: 1, isMeasured: false, isEvicted: false },
  { name: 'raw EPC, measured', oversub: false, pages: 7, isMeasured: true, isEvicted: false },
  { name: 'host reclaim', oversub: true, pages: 7, isMeasured: true, isEvicted: false },
  { name: 'host reclaim that takes everything', oversub: true, pages: 7, isMeasured: true, isEvicted: true },
];

/** CREATE, ADD_PAGES and INIT of an enclave, each a routine of its own. */
function* calls(driver: EnclaveDriver, thread: MachineThread, mm: AddressSpace, row: Row) {
  const { pages, isMeasured } = row;
  const enclave = driver.open();
  const pageCount = 2 ** Math.ceil(Math.log2(pages + 1));
  const basePage = driver.chooseBasePage(pageCount);
  yield driver.create.run(thread, enclave, { pageCount, basePage, attributes: Attribute.MODE64BIT });
  const argument = { page: 0, count: pages, type: PageType.REG, prot: Prot.R | Prot.W, isMeasured };
  yield (function* () {
    return (yield* driver.addPages.run(thread, mm, enclave, argument)).result;
  })();
  yield driver.init.run(thread, enclave, {});
}

/** The host takes all pages of the guest that it can have. */
function evictAll(stack: HostStack, vm: VirtualMachine): void {
  for (let round = 0; round < 2; round++) {
    for (let page = 0; page < vm.epc.pageCount; page++) {
      const host = vm.epc.resident(page);
      if (host === NONE) continue;
      stack.run((thread) => stack.vepc.oversub?.evict(thread, stack.placeOf(host)) as Routine<EvictionId>, 3);
    }
  }
}

/** What a thread spends in `work`, by key. */
function spent(thread: MachineThread, work: () => void) {
  const counts = [...thread.counts];
  const cycles = [...thread.cycles];
  const { clock } = thread;
  work();
  return {
    counts: thread.counts.map((count, key) => count - (counts[key] as number)),
    cycles: thread.cycles.map((count, key) => count - (cycles[key] as number)),
    elapsed: thread.clock - clock,
  };
}

it('a guest pays for an EWB that is refused as refused', () => {
  const results: LeafResult[] = [];
  const note: Probe['leaf'] = (_, leaf, __, result) => leaf === Leaf.EWB && void results.push(result);
  const probe = new Proxy({} as Probe, { get: (_, name) => (name === 'leaf' ? note : () => {}) });
  const stack = new HostStack({ probe });
  const vm = stack.vm({ sections: [{ pageCount: 24 }], daemonCpu: 2, kernel });
  const cpu = vm.cpus[0] as VirtualCpu;
  for (const name of ['first', 'second']) {
    stack.guest(vm, new GuestProgram(vm, { name, dataPages: 14 }, stack.machine).build(cpu));
  }
  const sum = (key: CostKey) =>
    [cpu.thread, vm.daemon].reduce((total, { counts }) => total + (counts[key] as number), 0);
  const written = results.filter((result) => result === SgxCode.SUCCESS).length;
  expect(written).toBeGreaterThan(0);
  expect(results.length).toBeGreaterThan(written);
  expect([sum(Cost.EWB), sum(Cost.EWB_REFUSED)]).toEqual([written, results.length - written]);
});

describe('an interrupt of the host to a CPU of a guest', () => {
  const cases: readonly (readonly [string, boolean, number])[] = [
    ['costs a VM exit if the guest runs there outside an enclave', true, 1],
    ['costs the guest nothing if it does not run', false, 0],
  ];
  it.each(cases)('%s', (_, isRunning, expected) => {
    const stack = new HostStack();
    const vm = stack.vm({ cpus: [0, 1], daemonCpu: 2, kernel });
    const { machine } = stack;
    const begin = Math.max(...machine.threads.map(({ clock }) => clock));
    for (const thread of machine.threads) thread.startAt(begin);
    const [first, second] = vm.cpus as [VirtualCpu, VirtualCpu];
    const computing = op(machine.objects.range('computation', 1), Mode.ADD);
    function* compute(): Routine<void> {
      for (let work = 0; work < 100; work++) {
        if (first.thread.spend(Cost.FAULT_KERNEL) > first.thread.limit) yield computing;
      }
    }
    if (isRunning) machine.start(first.thread, vm.onCpu(first.thread, compute()));
    const sender = stack.threads[3] as MachineThread;
    const targets = createCpuSet(machine.cpuCount);
    targets.add(first.id);
    targets.add(second.id);
    machine.start(sender, stack.ipi.kick(sender, targets));
    machine.runTimed();
    const counts = (thread: MachineThread) => [thread.counts[Cost.VM_EXIT], thread.counts[Cost.AEX]];
    expect([counts(first.thread), counts(second.thread)]).toEqual([
      [expected, 0],
      [0, 0],
    ]);
    expect(stack.ipi.interruptedCpus).toBe(0);
  });
});

describe('a guest that enters an enclave whose TCS page the host has taken', () => {
  const tcs = 4;
  const stack = new HostStack({ oversub: true });
  const vm = stack.vm({ sections: [{ pageCount: 24 }], daemonCpu: 2, kernel });
  const cpu = vm.cpus[0] as VirtualCpu;
  const program = new GuestProgram(vm, { name: 'p', dataPages: tcs }, stack.machine);
  stack.guest(vm, program.build(cpu));
  const entries: readonly (readonly [string, CostKey, () => Routine<EnteredId>, () => void])[] = [
    [
      'EENTER',
      Cost.EENTER,
      () => cpu.enter(program.enclave, tcs),
      () => {
        const record = createGuestAccessRecord();
        const touch = vm.kernel.accesses.access(cpu, program.enclave, tcs, Access.READ, 9, record);
        stack.guest(vm, cpu.load(program.mm));
        stack.guest(vm, touch);
      },
    ],
    ['ERESUME', Cost.ERESUME, () => cpu.resume(), () => stack.guest(vm, cpu.exitAsynchronously())],
  ];

  it.each(entries)('pays for %s once', (_, key, enter, prepare) => {
    prepare();
    evictAll(stack, vm);
    const { counts } = spent(cpu.thread, () => expect(stack.guest(vm, enter())).toBe(Entered.YES));
    expect([key, Cost.VM_EXIT, Cost.EPT_VIOLATION].map((each) => counts[each])).toEqual([1, 1, 1]);
  });
});

describe.each(rows)('a guest that builds an enclave, $name', (row) => {
  const native = new HostStack();
  const [nativeThread] = native.threads as [MachineThread];
  const atHome = spent(nativeThread, () => {
    const mm = native.process('native');
    for (const call of calls(native.driver, nativeThread, mm, row)) expect(native.run(() => call)).toBe(0);
  });
  const stack = new HostStack({ oversub: row.oversub });
  const vm = stack.vm({ sections: [{ pageCount: 24 }], daemonCpu: 2, kernel });
  const { thread } = vm.cpus[0] as VirtualCpu;
  const violations = vm.violations;
  const inGuest = spent(thread, () => {
    const mm = vm.kernel.createProcess('p');
    for (const call of calls(vm.kernel.driver, thread, mm, row)) {
      if (row.isEvicted) evictAll(stack, vm);
      expect(stack.guest(vm, call)).toBe(0);
    }
  });
  const handled = vm.violations - violations;

  it.each(leaves.map((key) => [costNames[key], key] as const))('pays for %s as natively', (_, key) => {
    expect(inGuest.counts[key]).toBe(atHome.counts[key]);
  });

  it('pays for each exit, and for what the host does about it, once', () => {
    const trapped = 2;
    expect(vm.trappedLeaves).toBe(trapped);
    const more = exits.map((key) => (inGuest.counts[key] as number) - (atHome.counts[key] as number));
    const [vmExits, ept, faults, loads] = more as [number, number, number, number];
    expect([vmExits, ept]).toEqual([trapped + handled, handled]);
    // KVM faults in the page of a leaf that it executes without an EPT violation.
    expect(faults).toBeGreaterThanOrEqual(handled);
    expect(faults).toBeLessThanOrEqual(handled + trapped);
    expect(loads > 0).toBe(row.isEvicted);
    expect(handled > 0).toBe(row.isEvicted);
  });

  it('knows the cause of every cycle', () => {
    expect(inGuest.cycles.reduce((sum, cycles) => sum + cycles, 0)).toBe(inGuest.elapsed);
  });
});
