import type { AddressSpace, ErrnoResult, Routine, Thread } from '@epckit/interface';
import { Errno, MisuseError } from '@epckit/interface';
import type { Vepc } from './vepc.js';

/** Range and rights of a mapping, in pages of the file. */
export interface VepcMapArgument {
  /** First page. */
  readonly start: number;
  /** Page after the last. */
  readonly end: number;
  /** Bits of `Prot`. */
  readonly prot: number;
  /** `MAP_SHARED`. Default: true. */
  readonly isShared?: boolean;
}

/**
 * mmap of an instance (Linux `sgx_vepc_mmap`): raw page frames, no EPC is reserved, any number of mappings. A
 * mapping is not copied by fork (`VM_DONTCOPY`).
 */
export class VepcMapper {
  /**
   * Maps a range of the file; replaces what is there.
   *
   * @returns 0 or `-EINVAL`: a private mapping
   */
  *map(thread: Thread, mm: AddressSpace, vepc: Vepc, argument: VepcMapArgument): Routine<ErrnoResult> {
    const { start, end, prot, isShared = true } = argument;
    if (!isShared) return -Errno.EINVAL;
    requireRange(vepc, start, end);
    while (mm.lock.mustWaitWrite(thread)) yield mm.lock.acquireWrite;
    vepc.noteAddressSpace(mm);
    const table = mm.tableFor(vepc.id, vepc.pageCount);
    if (thread.clock > thread.limit) yield table.pteAt(start);
    table.map(thread, start, end, prot);
    mm.lock.releaseWrite(thread);
    return 0;
  }

  /** Removes mappings of a range. The EPC pages stay with the instance. */
  *unmap(thread: Thread, mm: AddressSpace, vepc: Vepc, start: number, end: number): Routine<void> {
    while (mm.lock.mustWaitWrite(thread)) yield mm.lock.acquireWrite;
    const table = mm.table(vepc.id);
    if (table !== undefined && thread.clock > thread.limit) yield table.pteAt(start);
    table?.unmap(thread, start, end);
    mm.lock.releaseWrite(thread);
  }

  /** After a fork: the child has no mapping of the instance, though `AddressSpace.copyFrom` copies all. */
  leaveOut(child: AddressSpace, vepc: Vepc): void {
    child.forget(vepc.id);
  }
}

/** Linux takes any range; page tables here have the size of the instance. */
function requireRange(vepc: Vepc, start: number, end: number): void {
  if (Number.isInteger(start) && Number.isInteger(end) && start >= 0 && start < end && end <= vepc.pageCount)
    return;
  throw new MisuseError(
    'A mapping must lie within the pages that the instance was opened for.',
    [`given: pages ${start} … ${end}`, `instance: pages 0 … ${vepc.pageCount}`],
    { hint: 'Open the instance with as many pages as the largest mapping will reach.' },
  );
}
