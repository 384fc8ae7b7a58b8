import type { IpiSender, PageAllocator, Reclaimer, ReclaimLists, SgxHardware } from '@epckit/interface';
import type { Machine } from '@epckit/machine';
import { createCpuSet } from '@epckit/mm';
import { createBackingStore, createVersionSlots, createWriteBack } from '@epckit/paging';
import { LoadBackKeeping } from '@epckit/paging/recipes';
import type {
  EvictableVersionArrays,
  OversubComponents,
  OversubPaging,
  OversubPagingParts,
  VepcComponents,
  VepcDriver,
} from '@epckit/vepc';
import { createVepcDriver } from '@epckit/vepc';
import type { EpcOptions } from './options.js';

/** Owner ids from here on are instances of the virtual EPC device; enclaves have those below. */
export const FIRST_VEPC_OWNER = 2 ** 30;

/** What the virtual EPC device of a stack is made of. */
export interface GuestReclaimParts
  extends Pick<VepcComponents, 'frames' | 'probe' | 'interrupts' | 'launchControl'> {
  /** Executes leaves. */
  readonly hardware: SgxHardware;
  /** Gives pages to instances. */
  readonly allocator: PageAllocator;
  /** CPUs, locks, object numbers. */
  readonly machine: Machine;
  /** Reclaimable pages, for those of guests too if the host reclaims them. */
  readonly lists: ReclaimLists;
  /** Runs the batch of a fault that has found no page. */
  readonly reclaimer: Pick<Reclaimer, 'batch' | 'nothingReclaimable'>;
  /** Throws virtual CPUs out of the guest. */
  readonly ipi: IpiSender;
}

/**
 * Makes the virtual EPC device; with `guestReclaim` the host can reclaim pages of instances for which KVM turns it on.
 *
 * @returns null: the processor has no VMX
 */
export function createGuestDriver(options: EpcOptions, parts: GuestReclaimParts): VepcDriver | null {
  const { machine, frames, hardware, allocator, probe, launchControl, interrupts = null } = parts;
  const { objects, checking: monitor } = machine;
  const { failures = null } = options;
  const oversub = options.guestReclaim === true ? oversubOf(options, parts) : null;
  return createVepcDriver(
    { hasVmx: options.vmx ?? true, firstOwner: FIRST_VEPC_OWNER },
    {
      ...{ frames, hardware, allocator, locks: machine, objects, monitor, probe, failures },
      ...{ launchControl, interrupts, oversub },
    },
    options.vepc,
  );
}

function oversubOf(options: EpcOptions, parts: GuestReclaimParts): OversubComponents {
  const { lists, reclaimer, ipi, machine } = parts;
  const isEvictable = options.guestVersionArrays === 'evictable';
  return {
    ...{ lists, reclaimer, ipi },
    createCpuSet: () => createCpuSet(machine.cpuCount),
    createPaging: (instance) => pagingOf(instance, options, parts),
    versionArrays: isEvictable ? { createBacking: versionBackingOf(options, parts) } : null,
  };
}

/** Version array pages have a file of their own: in trace points the pages of an instance are those of its own one. */
function versionBackingOf(
  { failures = null }: EpcOptions,
  { machine }: GuestReclaimParts,
): EvictableVersionArrays['createBacking'] {
  const { objects, checking: monitor } = machine;
  const mayAllocate = () => !failures?.fails('shmem_page');
  return (owner, pageCount) =>
    createBackingStore({ pageCount, mayAllocate }, { probe: null, monitor, objects, owner });
}

/** Each instance has slots, its own or those of the driver, a backing file and the ladders over them; a load that has failed is repeated. */
function pagingOf(
  { owner, pageCount, hardware, tracker, isBeingWritten, slots: ownSlots }: OversubPagingParts,
  { failures = null, paging = {} }: EpcOptions,
  { machine, ipi, probe }: GuestReclaimParts,
): OversubPaging {
  const { objects, checking: monitor } = machine;
  const mayAllocate = () => !failures?.fails('shmem_page');
  const slots = ownSlots ?? createVersionSlots();
  const backing = createBackingStore({ pageCount, mayAllocate }, { probe, monitor, objects, owner });
  const cpus = createCpuSet(machine.cpuCount);
  const out = { hardware, tracker, ipi, probe, slots, backing, cpus };
  return {
    slots,
    backing,
    writeBack: paging.writeBack?.(out) ?? createWriteBack(out),
    loadBack: new LoadBackKeeping({ hardware, probe, slots, backing, isBeingWritten }),
  };
}
