import { createFrameTable } from '@epckit/frames';
import { createSgxHardware, launchControlOf } from '@epckit/hardware';
import type { OwnerId } from '@epckit/interface';
import { NONE } from '@epckit/interface';
import type { Machine } from '@epckit/machine';
import { createMachine } from '@epckit/machine';
import { createAddressSpace, createCpuSet } from '@epckit/mm';
import { createNodePools, createPageAllocator } from '@epckit/numa';
import { createBackingStore, createVersionSlots, createWriteBack } from '@epckit/paging';
import { LoadBackKeeping } from '@epckit/paging/recipes';
import {
  createOwnerRegistry,
  createReclaimer,
  createReclaimLists,
  secondChance,
  watermarks,
} from '@epckit/reclaim';
import { Batch } from '@epckit/reclaim/recipes';
import type { VepcDriver } from '@epckit/vepc';
import { createVepcDriver } from '@epckit/vepc';
import type { GuestHost, VirtualMachine } from '../src/index.js';
import { kvmHostOf } from '../src/index.js';

/** What the example uses of a composed host. */
export interface ExampleHost {
  readonly machine: Machine;
  readonly host: GuestHost;
  /** Virtual machines that get interrupts. */
  readonly vms: VirtualMachine[];
  /** Free EPC pages. */
  free(): number;
}

/** Composes a host by hand, with `pageCount` pages, `userCpus` CPUs and reclaim of guest pages. */
export function compose(pageCount: number, userCpus: number): ExampleHost {
  const machine = createMachine({ cpus: Array.from({ length: userCpus + 1 }, () => ({ node: 0 })) });
  const { objects, checking: monitor, cpuCount } = machine;
  const locks = machine;
  const probe = null;
  const frames = createFrameTable({ sections: [{ node: 0, pageCount }] }, { objects, monitor });
  const hardware = createSgxHardware({ pageCount, cpuCount }, { objects, monitor, probe });
  const pool = createNodePools({}, { frames, locks, hardware, probe });
  const owners = createOwnerRegistry();
  const policy = secondChance()({ frames });
  const lists = createReclaimLists({ frames, locks, owners, policy, probe });
  const batch = new Batch({ frames, lists, owners, pool, charge: null, probe });
  const ksgxd = machine.createThread({ name: 'ksgxd', cpu: userCpus, isKernel: true });
  const reclaimer = createReclaimer(
    { batchPages: 16, daemons: [{ thread: ksgxd.id }] },
    { lists, batch, pool, wake: watermarks({ low: 4, high: 8 }), locks, probe },
  );
  const allocator = createPageAllocator({ frames, pool, reclaimer, charge: null });
  const vms: VirtualMachine[] = [];
  // An interrupt of the host makes a virtual CPU leave its guest.
  const ipi = machine.createIpi(
    {
      arrive: (by, cpu) => vms.some((vm) => vm.interrupts.arrive(by, cpu)),
      leave: (by, cpu) => {
        for (const vm of vms) vm.interrupts.leave(by, cpu);
      },
    },
    probe,
  );
  const createCpus = () => createCpuSet(cpuCount);
  const vepc = createVepcDriver(
    { hasVmx: true, firstOwner: 1 },
    {
      frames,
      hardware,
      allocator,
      locks,
      objects,
      monitor,
      probe,
      launchControl: launchControlOf(hardware),
      oversub: {
        lists,
        reclaimer,
        ipi,
        createCpuSet: createCpus,
        createPaging: (parts) => {
          const slots = parts.slots ?? createVersionSlots();
          const backing = createBackingStore(
            { pageCount: parts.pageCount },
            { probe, monitor, objects, owner: parts.owner },
          );
          const out = { ...parts, ipi, probe, slots, backing, cpus: createCpus() };
          return {
            slots,
            backing,
            writeBack: createWriteBack(out),
            loadBack: new LoadBackKeeping({ ...parts, probe, slots, backing }),
          };
        },
      },
    },
  ) as VepcDriver;
  if (vepc.oversub !== null) owners.register(vepc.oversub.owner);
  machine.start(ksgxd, reclaimer.main(ksgxd, pool.sanitize(ksgxd)));
  machine.runKernelThreads();
  let spaces = 0;
  const createSpace = (name: string) => {
    const frameOf = (owner: OwnerId, page: number) => vepc.instance(owner)?.pages.get(page) ?? NONE;
    return createAddressSpace({ id: spaces++, name, cpuCount }, { locks, objects, monitor, probe, frameOf });
  };
  const host: GuestHost = {
    machine,
    hardware,
    frames,
    vepc,
    memoryFailure: null,
    kvm: kvmHostOf(hardware),
    probe,
    createAddressSpace: createSpace,
  };
  return { machine, host, vms, free: () => pool.free };
}
