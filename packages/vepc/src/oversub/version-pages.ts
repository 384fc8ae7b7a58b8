import type { ErrnoResult, Routine, Thread } from '@epckit/interface';
import { Cost, Errno, Leaf, NONE, OwnerKind, SgxCode } from '@epckit/interface';
import type { OversubInstance } from './instance.js';
import type { OversubParts } from './parts.js';
import type { VersionArrayCounts, VersionKeeper } from './version-keeper.js';
import { SLOTS_PER_PAGE } from './version-shape.js';

/** Record in the frame table of the host's version array page `number` of an instance; pages have 0 and above. */
export function versionPageRecord(number: number): number {
  return -2 - number;
}

/** The host's version array pages of an instance: one per 512 pages of the file, all of them from the start. */
export class VersionPages implements VersionKeeper {
  /** What they are made with. */
  protected readonly parts: OversubParts;

  constructor(parts: OversubParts) {
    this.parts = parts;
  }

  /** None: composition makes them, with all pages. */
  slotsFor(): null {
    return null;
  }

  /** Gets all pages, or none. No locks are held. @returns 0 or what the allocator returns */
  *allocate(thread: Thread, instance: OversubInstance): Routine<ErrnoResult> {
    const count = Math.ceil(instance.vepc.pageCount / SLOTS_PER_PAGE);
    for (let number = 0; number < count; number++) {
      const error = yield* this.allocateOne(thread, instance, number);
      if (error === 0) continue;
      for (const { index } of [...instance.paging.slots.pages()]) instance.paging.slots.removePage(index);
      yield* this.free(thread, instance);
      return error;
    }
    return 0;
  }

  /** There is a slot for every page of the file. */
  *makeRoom(): Routine<ErrnoResult> {
    return 0;
  }

  /** All pages are in the EPC. */
  *bring(): Routine<ErrnoResult> {
    return 0;
  }

  /** They stay. */
  *relieve(): Routine<boolean> {
    return false;
  }

  /** EREMOVE and frees all pages. Nobody writes any more. */
  *free(thread: Thread, instance: OversubInstance): Routine<void> {
    for (let number = instance.versionArrays.length - 1; number >= 0; number--) {
      const page = instance.versionArrays[number] as number;
      if (page !== NONE) yield* this.parts.pages.free(thread, page);
      instance.versionArrays = instance.versionArrays.slice(0, number);
    }
  }

  /** EPA of all pages once more: a loss of power has made them invalid. */
  *renew(thread: Thread, instance: OversubInstance): Routine<void> {
    for (const page of instance.versionArrays) yield* this.epa(thread, page);
  }

  counts({ versionArrays, paging }: OversubInstance): VersionArrayCounts {
    const peak = paging.slots.pageCount;
    return { resident: versionArrays.length, peak, evicted: 0, evictions: 0, loads: 0 };
  }

  /** One page: allocation, EPA, slots. */
  protected *allocateOne(thread: Thread, instance: OversubInstance, number: number): Routine<ErrnoResult> {
    const { allocator } = this.parts.components;
    const record = versionPageRecord(number);
    const page = yield* allocator.alloc(thread, OwnerKind.GUEST, instance.id, record, true);
    if (page < 0) return page;
    if ((yield* this.epa(thread, page)) !== SgxCode.SUCCESS) {
      yield* allocator.free(thread, page);
      return -Errno.EFAULT;
    }
    instance.versionArrays = [...instance.versionArrays, page];
    instance.paging.slots.addPage(page);
    return 0;
  }

  /** EPA. */
  protected *epa(thread: Thread, page: number): Routine<number> {
    const { hardware } = this.parts.components;
    if (thread.spend(Cost.EPA) > thread.limit) yield hardware.leafAt(page, thread.cpu, Leaf.EPA);
    return hardware.epa(thread.cpu, page);
  }
}
