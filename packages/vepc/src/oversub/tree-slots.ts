import type { PageIndex, VersionSlots } from '@epckit/interface';
import { InvariantViolation, NONE } from '@epckit/interface';
import type { VersionTree } from './version-tree.js';
import { leafOf } from './version-tree.js';

/** One leaf in a report. */
export interface LeafPage {
  /** Number of the leaf. */
  readonly index: number;
  /** EPC page. */
  readonly page: PageIndex;
  /** Slots in use. */
  readonly used: number;
}

/** The slots of data pages in a tree: the leaves that are in the EPC, as those who write and load pages see them. */
export class TreeSlots implements VersionSlots {
  /** The tree. */
  protected readonly tree: VersionTree;

  constructor(tree: VersionTree) {
    this.tree = tree;
  }

  take(): number {
    return this.tree.take(this.choose());
  }

  release(slot: number): void {
    this.tree.release(slot);
  }

  releaseLoaded(slot: number): void {
    this.tree.release(slot, true);
  }

  /** As in the contract. @throws InvariantViolation if the leaf is not in the EPC */
  pageOf(slot: number): PageIndex {
    const page = this.tree.page(leafOf(slot));
    if (page !== NONE) return page;
    throw new InvariantViolation('A slot is used whose version array page is not in the EPC.', [
      `slot: ${slot}`,
      `version array page: ${leafOf(slot)}`,
    ]);
  }

  /** The lowest leaf that was never made. @throws InvariantViolation if all were */
  addPage(page: PageIndex): number {
    const leaf = this.tree.nextLeaf();
    if (leaf === NONE) throw new InvariantViolation('All version array pages were made.');
    this.tree.attach(leaf, page, true);
    return leaf;
  }

  removePage(index: number): void {
    this.tree.forget(index);
  }

  /** Leaves in the EPC, from first to last. */
  *pages(): Iterable<LeafPage> {
    for (const index of this.tree.leaves())
      yield { index, page: this.tree.page(index), used: this.tree.used(index) };
  }

  /** Leaves in the EPC. */
  get pageCount(): number {
    return this.tree.leaves().length;
  }

  /** Leaf to take from: the first one with room. */
  protected choose(): number {
    const leaf = this.tree.first;
    if (leaf === NONE) throw new InvariantViolation('No version slot is free in the EPC.');
    return leaf;
  }
}
