import type { ErrnoResult, PageIndex, Routine, Thread } from '@epckit/interface';
import { Errno, Mode, NONE, OwnerKind, SgxCode } from '@epckit/interface';
import type { EvictableVersionArrays } from './components.js';
import type { OversubInstance } from './instance.js';
import type { OversubParts } from './parts.js';
import { lockInstance } from './section.js';
import { TreeSlots } from './tree-slots.js';
import type { VersionArrayCounts, VersionKeeper, VersionStore } from './version-keeper.js';
import { doom, VersionLeaves } from './version-leaves.js';
import { versionPageRecord } from './version-pages.js';
import { VersionShape } from './version-shape.js';
import { leafOf, VersionTree } from './version-tree.js';

/**
 * Version array pages as a tree: leaves are made when slots run short, and leave the EPC when it is wanting, each into a
 * slot of the page above it.
 *
 * Nothing waits for a page for ever but for memory errors, refused backing pages and leaves that go on conflicting: those
 * keep pages in the EPC that should go, and a later batch or fault tries again. One leaf is in the EPC from the start, and leaves go only to make room for
 * another one in the same section of the lock. While no leaf has a free slot all are full, so one of them can go; and with
 * the last one that goes all pages between it and the path of the new one, which has no more levels to fill.
 */
export class EvictableVersions implements VersionKeeper {
  /** What it works with. */
  protected readonly parts: OversubParts;
  /** Leaves on version array pages. */
  protected readonly leaves: VersionLeaves;
  readonly #settings: EvictableVersionArrays;

  constructor(parts: OversubParts, settings: EvictableVersionArrays) {
    this.parts = parts;
    this.leaves = new VersionLeaves(parts);
    this.#settings = settings;
  }

  slotsFor(instance: OversubInstance): TreeSlots {
    const { objects, monitor } = this.parts.components;
    const shape = new VersionShape(instance.vepc.pageCount, this.#settings.slotsPerPage);
    const tree = new VersionTree(shape, monitor, objects.range(`version arrays of vEPC ${instance.id}`, 1));
    const backing = this.#settings.createBacking(instance.id, shape.pageCount);
    const blob = { contents: 0, secinfo: 0, enclaveId: 0, linearPage: 0, macLow: 0, macHigh: 0 };
    instance.versionStore = { tree, backing, blob };
    instance.versionArrays = tree.pages;
    return this.slotsOf(tree);
  }

  /** The root, and down to the first leaf: all of them, or none. */
  *allocate(thread: Thread, instance: OversubInstance): Routine<ErrnoResult> {
    const path = storeOf(instance).tree.shape.path(0);
    const pages: PageIndex[] = [];
    let error = 0;
    for (const number of path) {
      const page = yield* this.alloc(thread, instance, number, true);
      if (page >= 0) pages.push(page);
      else error = page;
      if (error !== 0) break;
    }
    yield* lockInstance(thread, instance);
    if (instance.isDead) error = -Errno.EFAULT;
    if (error === 0) error = yield* this.settleAll(thread, instance, path, pages);
    yield* this.giveBack(thread, pages);
    instance.vepc.lock.release(thread);
    return error;
  }

  *makeRoom(thread: Thread, instance: OversubInstance): Routine<ErrnoResult> {
    const { tree } = storeOf(instance);
    const next = tree.nextLeaf();
    if (tree.first === NONE) {
      const leaf = next === NONE ? tree.evictedWithRoom() : next;
      return leaf === NONE ? 0 : yield* this.bringLeaf(thread, instance, leaf, true);
    }
    if (next === NONE || !tree.isShort()) return 0;
    // Ahead: if there is no page for it now, the next write tries again.
    yield* this.bringLeaf(thread, instance, next, false);
    return instance.isDead ? -Errno.EFAULT : 0;
  }

  *bring(thread: Thread, instance: OversubInstance, slot: number): Routine<ErrnoResult> {
    const leaf = leafOf(slot);
    const { tree } = storeOf(instance);
    tree.touch(leaf);
    return tree.page(leaf) === NONE ? yield* this.bringLeaf(thread, instance, leaf, true) : 0;
  }

  /** Not while there are more data pages in the EPC: reclaiming those serves them longer than their versions do. */
  *relieve(thread: Thread, instance: OversubInstance): Routine<boolean> {
    const { tree } = storeOf(instance);
    if (tree.resident <= instance.vepc.pages.count || tree.leaves().length < 2) return false;
    const pages: PageIndex[] = [];
    yield* this.steal(thread, instance, pages, true);
    const hasGone = pages.length > 0;
    yield* this.giveBack(thread, pages);
    return hasGone;
  }

  *free(thread: Thread, instance: OversubInstance): Routine<void> {
    const { tree, backing } = storeOf(instance);
    for (let number = 0; number < tree.shape.pageCount; number++) {
      const page = tree.discard(number);
      if (page !== NONE) yield* this.parts.pages.free(thread, page);
    }
    backing.close();
  }

  /** Evicted pages cannot come back, and have nothing in them that anybody needs: they are forgotten. */
  *renew(thread: Thread, instance: OversubInstance): Routine<void> {
    const { tree, backing } = storeOf(instance);
    for (let number = 0; number < tree.shape.pageCount; number++) {
      if (tree.page(number) !== NONE) yield* this.leaves.epa(thread, tree.page(number));
      else if (tree.isMade(number)) {
        tree.forget(number);
        backing.truncate(thread, number, () => false);
      }
    }
  }

  counts(instance: OversubInstance): VersionArrayCounts {
    const { resident, peak, evicted, evictions, loads } = storeOf(instance).tree;
    return { resident, peak, evicted, evictions, loads };
  }

  /**
   * Evicts leaves, full ones first, until one is left. For tests that force evictions, and for tools. No locks are held.
   *
   * @returns version array pages that have left the EPC
   */
  *shrink(thread: Thread, instance: OversubInstance): Routine<number> {
    yield* lockInstance(thread, instance);
    const { tree } = storeOf(instance);
    const pages: PageIndex[] = [];
    while (!instance.isDead && tree.leaves().length > 1) {
      if ((yield* this.steal(thread, instance, pages, true)) !== 0) break;
    }
    const count = pages.length;
    yield* this.giveBack(thread, pages);
    instance.vepc.lock.release(thread);
    return count;
  }

  /** What sees the slots of the leaves. */
  protected slotsOf(tree: VersionTree): TreeSlots {
    return new TreeSlots(tree);
  }

  /**
   * Makes a leaf, or has it come back, with all pages above it. `isAny`: leaves with room may go for it, too.
   *
   * @returns 0, `-EBUSY` or `-EFAULT` as {@link makeRoom}
   */
  protected *bringLeaf(
    thread: Thread,
    instance: OversubInstance,
    leaf: number,
    isAny: boolean,
  ): Routine<ErrnoResult> {
    const { tree } = storeOf(instance);
    const path = tree.shape.path(leaf);
    const missing = path.filter((number) => tree.page(number) === NONE);
    for (const number of path) tree.setPinned(number, true);
    const pages: PageIndex[] = [];
    let error = yield* this.collect(thread, instance, missing, pages, isAny);
    if (error === 0) error = yield* this.settleAll(thread, instance, missing, pages);
    for (const number of path) tree.setPinned(number, false);
    yield* this.giveBack(thread, pages);
    return error;
  }

  /** An EPC page for each of `missing`: a free one, or that of a version array page which goes. */
  protected *collect(
    thread: Thread,
    instance: OversubInstance,
    missing: readonly number[],
    pages: PageIndex[],
    isAny: boolean,
  ): Routine<ErrnoResult> {
    const { tree } = storeOf(instance);
    while (pages.length < missing.length) {
      const count = pages.length;
      const mayGrow = tree.hasShare(count);
      const page = mayGrow ? yield* this.alloc(thread, instance, missing[count] as number, false) : NONE;
      const error = page >= 0 ? 0 : yield* this.steal(thread, instance, pages, isAny);
      if (error !== 0) return error;
      if (page >= 0) pages.push(page);
      else this.rename(instance, missing, pages, count);
    }
    return 0;
  }

  /** The EPC pages from `first` on had the records of those that have gone. More than are missing are given back. */
  protected rename(
    instance: OversubInstance,
    missing: readonly number[],
    pages: readonly PageIndex[],
    first: number,
  ): void {
    const { frames } = this.parts.components;
    for (const [at, number] of missing.slice(0, pages.length).entries()) {
      const page = pages[at] as PageIndex;
      if (at >= first) frames.setOwner(page, OwnerKind.GUEST, instance.id, versionPageRecord(number));
    }
  }

  /** Evicts a version array page, and those above it that nobody needs then. `pages` gets their EPC pages. */
  protected *steal(
    thread: Thread,
    instance: OversubInstance,
    pages: PageIndex[],
    isAny: boolean,
  ): Routine<ErrnoResult> {
    const { tree } = storeOf(instance);
    let victim = tree.victim(isAny);
    // A page with a memory error is not written: EWB would read it.
    while (victim !== NONE && (yield* this.isPoisoned(thread, tree.page(victim)))) {
      tree.spoil(victim);
      victim = tree.victim(isAny);
    }
    if (victim === NONE) return -Errno.EBUSY;
    let error = yield* this.evict(thread, instance, victim, pages);
    const hasGone = error === 0;
    // A page above it that has to stay can go another time.
    while (error === 0) {
      victim = tree.shape.parent(victim);
      if (!this.isUnneeded(tree, victim) || (yield* this.isPoisoned(thread, tree.page(victim)))) break;
      error = yield* this.evict(thread, instance, victim, pages);
    }
    return hasGone && error === -Errno.EBUSY ? 0 : error;
  }

  /** Evicts one page. */
  protected *evict(
    thread: Thread,
    instance: OversubInstance,
    victim: number,
    pages: PageIndex[],
  ): Routine<ErrnoResult> {
    const store = storeOf(instance);
    const error = yield* this.leaves.write(thread, instance, store, victim);
    if (error === 0) pages.push(store.tree.evict(victim));
    return error;
  }

  /** May a page go because none of those below it is in the EPC? */
  protected isUnneeded(tree: VersionTree, number: number): boolean {
    return tree.isIdle(number);
  }

  /** Fills places from the top down. Pages that were used up leave `pages`. */
  protected *settleAll(
    thread: Thread,
    instance: OversubInstance,
    missing: readonly number[],
    pages: PageIndex[],
  ): Routine<ErrnoResult> {
    for (const number of missing) {
      const page = pages[0] as PageIndex;
      const error = yield* this.settle(thread, instance, number, page);
      if (error !== 0) return error;
      pages.shift();
      storeOf(instance).tree.attach(number, page);
    }
    return 0;
  }

  /** EPA for a page that was never made, else ELDUC. */
  protected *settle(
    thread: Thread,
    instance: OversubInstance,
    number: number,
    page: PageIndex,
  ): Routine<ErrnoResult> {
    const store = storeOf(instance);
    if (store.tree.isMade(number)) return yield* this.leaves.load(thread, instance, store, number, page);
    return (yield* this.leaves.epa(thread, page)) === SgxCode.SUCCESS ? 0 : doom(instance);
  }

  /** An EPC page that nobody may reclaim. @returns page or negated errno */
  protected alloc(
    thread: Thread,
    instance: OversubInstance,
    number: number,
    mayReclaim: boolean,
  ): Routine<number> {
    const { allocator } = this.parts.components;
    return allocator.alloc(thread, OwnerKind.GUEST, instance.id, versionPageRecord(number), mayReclaim);
  }

  /** Frees pages that are invalid in the EPCM. */
  protected *giveBack(thread: Thread, pages: PageIndex[]): Routine<void> {
    for (let page = pages.pop(); page !== undefined; page = pages.pop())
      yield* this.parts.components.allocator.free(thread, page);
  }

  /** Has the page a memory error? */
  protected *isPoisoned(thread: Thread, page: PageIndex): Routine<boolean> {
    const { frames } = this.parts.components;
    if (thread.clock > thread.limit) yield frames.poisonAt(page, Mode.READ);
    return frames.isPoisoned(page);
  }
}

function storeOf({ versionStore }: OversubInstance): VersionStore {
  return versionStore as VersionStore;
}
