import { createFrameTable } from '@epckit/frames';
import { createSgxHardware } from '@epckit/hardware';
import type { AddressSpace, FrameTable, Probe, SgxHardware } from '@epckit/interface';
import { leafNames } from '@epckit/interface';
import type { Machine } from '@epckit/machine';
import { createMachine } from '@epckit/machine';
import { createAddressSpace } from '@epckit/mm';
import { createNodePools, createPageAllocator } from '@epckit/numa';
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

/** What the example uses of a composed stack. */
export interface ExampleStack {
  readonly machine: Machine;
  readonly frames: FrameTable;
  readonly hardware: SgxHardware;
  readonly driver: VepcDriver;
  /** Address space of the VMM. */
  readonly vmm: AddressSpace;
}

const CPU_COUNT = 2;

/** Composes a stack by hand, with `pageCount` pages on one node. Leaves are written into `log`. */
export function compose(pageCount: number, log: string[]): ExampleStack {
  const machine = createMachine({ cpus: Array.from({ length: CPU_COUNT }, () => ({ node: 0 })) });
  const { objects, checking: monitor } = machine;
  const probe = leafLog(log);
  const frames = createFrameTable({ sections: [{ node: 0, pageCount }] }, { objects, monitor });
  const hardware = createSgxHardware({ pageCount, cpuCount: CPU_COUNT }, { objects, monitor, probe });
  const pool = createNodePools({}, { frames, locks: machine, hardware, probe });
  const owners = createOwnerRegistry();
  const policy = secondChance()({ frames });
  const lists = createReclaimLists({ frames, locks: machine, owners, policy, probe });
  const batch = new Batch({ frames, lists, owners, pool, charge: null, probe });
  const ksgxd = machine.createThread({ name: 'ksgxd', cpu: 1, isKernel: true });
  const reclaimer = createReclaimer(
    { batchPages: 16, daemons: [{ thread: ksgxd.id }] },
    { lists, batch, pool, wake: watermarks({ low: 0, high: 0 }), locks: machine, probe },
  );
  const allocator = createPageAllocator({ frames, pool, reclaimer, charge: null });
  // Guest pages are never reclaimable, so no owner is registered for them.
  const driver = createVepcDriver(
    { hasVmx: true, firstOwner: 1 },
    { frames, hardware, allocator, locks: machine, objects, monitor, probe, launchControl: null },
  );
  if (driver === null) throw new Error('The processor has VMX.');
  machine.start(ksgxd, reclaimer.main(ksgxd, pool.sanitize(ksgxd)));
  machine.runKernelThreads();
  log.length = 0;
  const vmm = createAddressSpace(
    { id: 0, name: 'vmm', cpuCount: CPU_COUNT },
    { locks: machine, objects, monitor, probe },
  );
  return { machine, frames, hardware, driver, vmm };
}

/** A probe that writes leaves down and ignores the rest. */
function leafLog(log: string[]): Probe {
  const leaf: Probe['leaf'] = (_cpu, id, page, result) => {
    log.push(`${leafNames[id]}(${page})${result === 0 ? '' : ` ${result}`}`);
  };
  const ignore = () => {};
  return new Proxy({} as Probe, { get: (_, name) => (name === 'leaf' ? leaf : ignore) });
}
