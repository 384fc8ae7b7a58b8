import type { EnclaveDriver, EnclavePaging } from '@epckit/enclave';
import { createEnclaveDriver } from '@epckit/enclave';
import { createFrameTable } from '@epckit/frames';
import { createSgxHardware } from '@epckit/hardware';
import type { FrameTable, IpiSender, Probe, SgxHardware, Tracker } from '@epckit/interface';
import { leafNames } from '@epckit/interface';
import type { Machine } from '@epckit/machine';
import { createMachine } from '@epckit/machine';
import { createCpuSet } from '@epckit/mm';
import { createNodePools, createPageAllocator } from '@epckit/numa';
import {
  createBackingStore,
  createEtrack,
  createLoadBack,
  createVersionSlots,
  createWriteBack,
} from '@epckit/paging';
import type { Ksgxd } from '@epckit/reclaim';
import {
  createOwnerRegistry,
  createReclaimer,
  createReclaimLists,
  secondChance,
  watermarks,
} from '@epckit/reclaim';
import { Batch } from '@epckit/reclaim/recipes';

/** What the examples use of a composed stack. */
export interface ExampleStack {
  readonly machine: Machine;
  readonly frames: FrameTable;
  readonly hardware: SgxHardware;
  readonly reclaimer: Ksgxd;
  readonly driver: EnclaveDriver;
}

const CPU_COUNT = 2;

/**
 * Composes a stack by hand, with `pageCount` pages on one node; the package `epckit` does the same with defaults.
 * Leaves are written into `log`.
 */
export function compose(pageCount: number, log: string[]): ExampleStack {
  const machine = createMachine({ cpus: Array.from({ length: CPU_COUNT }, () => ({ node: 0 })) });
  const { objects, checking: monitor } = machine;
  const probe = leafLog(log);
  const frames = createFrameTable({ sections: [{ node: 0, pageCount }] }, { objects, monitor });
  const hardware = createSgxHardware({ pageCount, cpuCount: CPU_COUNT }, { objects, monitor, probe });
  const pool = createNodePools({}, { frames, locks: machine, hardware, probe });
  const owners = createOwnerRegistry();
  const lists = createReclaimLists({
    frames,
    locks: machine,
    owners,
    policy: secondChance()({ frames }),
    probe,
  });
  const batch = new Batch({ frames, lists, owners, pool, charge: null, probe });
  const ksgxd = machine.createThread({ name: 'ksgxd', cpu: 1, isKernel: true });
  const reclaimer = createReclaimer(
    { batchPages: 16, daemons: [{ thread: ksgxd.id }] },
    { lists, batch, pool, wake: watermarks({ low: 0, high: 0 }), locks: machine, probe },
  );
  const allocator = createPageAllocator({ frames, pool, reclaimer, charge: null });
  const shared = { frames, hardware, allocator, lists, locks: machine, objects, monitor, probe };
  const ipi = machine.createIpi({ arrive: (_, cpu) => hardware.aex(cpu), leave: () => {} }, probe);
  const tracker = createEtrack(hardware);
  const driver = createEnclaveDriver({
    ...shared,
    dynamic: { tracker, ipi, createCpuSet: () => createCpuSet(CPU_COUNT) },
    createPaging: pagingOn(hardware, tracker, ipi, probe),
  });
  owners.register(driver.owner);
  machine.start(ksgxd, reclaimer.main(ksgxd, pool.sanitize(ksgxd)));
  machine.runKernelThreads();
  log.length = 0;
  return { machine, frames, hardware, reclaimer, driver };
}

/** Version slots, backing file and ladders of one enclave. */
function pagingOn(hardware: SgxHardware, tracker: Tracker, ipi: IpiSender, probe: Probe) {
  return (owner: number, pageCount: number, isBeingWritten: (index: number) => boolean): EnclavePaging => {
    const slots = createVersionSlots();
    const backing = createBackingStore({ pageCount }, { probe, owner });
    const cpus = createCpuSet(CPU_COUNT);
    return {
      slots,
      backing,
      writeBack: createWriteBack({ hardware, tracker, ipi, probe, slots, backing, cpus }),
      loadBack: createLoadBack({ hardware, probe, slots, backing, isBeingWritten }),
    };
  };
}

/** A probe that writes leaves down and ignores the rest. */
function leafLog(log: string[]): Probe {
  const leaf: Probe['leaf'] = (_cpu, id, page, result) => {
    log.push(`${leafNames[id]}(${page})${result === 0 ? '' : ` ${result}`}`);
  };
  const ignore = () => {};
  return new Proxy({} as Probe, { get: (_, name) => (name === 'leaf' ? leaf : ignore) });
}
