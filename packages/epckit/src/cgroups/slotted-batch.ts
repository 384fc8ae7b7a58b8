import type { BatchComponents } from '@epckit/reclaim/recipes';
import { Batch } from '@epckit/reclaim/recipes';

/** Backing slots of one batch of the controller of 2020. */
const SLOTS = 32;

/**
 * R-27, the controller of 2020: a batch takes up to 64 pages off the lists, but has 32 slots for what it writes. Once
 * 32 are prepared, the others are not looked at and go back to the tail of their list.
 */
export class SlottedBatch extends Batch {
  readonly #slots: number;

  /** @param slots - pages that a batch can write at most */
  constructor(components: BatchComponents, slots = SLOTS) {
    super(components);
    this.#slots = slots;
  }

  protected override hasSlot(kept: number): boolean {
    return kept < this.#slots;
  }
}
