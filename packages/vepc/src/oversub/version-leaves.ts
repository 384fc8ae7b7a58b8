import type { ErrnoResult, LeafResult, PageIndex, Routine, Thread } from '@epckit/interface';
import { Cost, Errno, Leaf, NONE, SgxCode } from '@epckit/interface';
import { CONFLICT_TRIES, isTransient, isTransientWrite } from './host-leaves.js';
import type { OversubInstance } from './instance.js';
import type { OversubParts } from './parts.js';
import type { VersionStore } from './version-keeper.js';

/** Leaves on the host's version array pages that can be evicted. The instance's lock is held. */
export class VersionLeaves {
  readonly #parts: OversubParts;

  constructor(parts: OversubParts) {
    this.#parts = parts;
  }

  /** EPA. */
  *epa(thread: Thread, page: PageIndex): Routine<LeafResult> {
    const { hardware } = this.#parts.components;
    if (thread.spend(Cost.EPA) > thread.limit) yield hardware.leafAt(page, thread.cpu, Leaf.EPA);
    return hardware.epa(thread.cpu, page);
  }

  /**
   * EWB into the slot of the parent. No page of this type is ever blocked or tracked.
   *
   * @returns 0: the page is out of the EPC; `-EBUSY`: it stays; `-EFAULT`: unexpected, the instance is dead
   */
  *write(
    thread: Thread,
    instance: OversubInstance,
    { tree, backing, blob }: VersionStore,
    number: number,
  ): Routine<ErrnoResult> {
    const { hardware } = this.#parts.components;
    const page = tree.page(number);
    const parent = tree.page(tree.shape.parent(number));
    if ((yield* backing.reserve(thread, number)) !== 0) return -Errno.EBUSY;
    if (thread.spend(Cost.EWB) > thread.limit)
      yield hardware.leafAt(page, thread.cpu, Leaf.EWB, NONE, parent);
    const slot = tree.shape.slotInParent(number);
    const result = hardware.ewb(thread.cpu, page, parent, slot, blob);
    if (result === SgxCode.SUCCESS) {
      backing.store(number, blob);
      return 0;
    }
    return isTransientWrite(result) ? -Errno.EBUSY : doom(instance);
  }

  /**
   * ELDUC from the slot of the parent, some times while it conflicts.
   *
   * @returns 0; `-EBUSY`: not now; `-EFAULT`: unexpected, the instance is dead
   */
  *load(
    thread: Thread,
    instance: OversubInstance,
    { tree, backing, blob }: VersionStore,
    number: number,
    page: PageIndex,
  ): Routine<ErrnoResult> {
    const { hardware } = this.#parts.components;
    const parent = tree.page(tree.shape.parent(number));
    const slot = tree.shape.slotInParent(number);
    if (backing.fetch(number, blob) !== 0) return -Errno.EBUSY;
    thread.spend(Cost.BACKING_OLD);
    for (let tries = 1; ; tries++) {
      if (thread.spend(Cost.ELDU) > thread.limit)
        yield hardware.leafAt(page, thread.cpu, Leaf.ELDUC, NONE, parent);
      const result = hardware.elduc(thread.cpu, page, NONE, parent, slot, blob);
      if (result === SgxCode.SUCCESS) break;
      if (!isTransient(result)) return doom(instance);
      if (tries === CONFLICT_TRIES) return -Errno.EBUSY;
    }
    // All pages of the group of 32 are under the same lock: none is between reserve and write.
    backing.truncate(thread, number, () => false);
    return 0;
  }
}

/** Nothing is tried to save the VM. */
export function doom(instance: OversubInstance): ErrnoResult {
  instance.isDead = true;
  return -Errno.EFAULT;
}
