import type { Routine, Thread } from '@epckit/interface';
import { NONE, SgxCode } from '@epckit/interface';
import type { VepcComponents } from '../components.js';
import type { VepcPages } from '../pages.js';
import { RemoveAll } from '../remove-all.js';
import type { Vepc } from '../vepc.js';
import type { Dropper } from './dropper.js';
import { GuestClass, GuestState } from './guest-records.js';
import type { OversubInstance } from './instance.js';
import type { OversubParts } from './parts.js';
import { replace } from './poison.js';
import { lockInstance } from './section.js';

/**
 * REMOVE_ALL over resident and evicted pages: evicted ones are dropped, and what user space is told is what it would
 * be told with all pages in the EPC. Instances without reclaim are served as before.
 */
export class OversubRemoveAll extends RemoveAll {
  readonly #base: RemoveAll;
  readonly #parts: OversubParts;
  readonly #dropper: Dropper;

  constructor(
    components: VepcComponents,
    pages: VepcPages,
    base: RemoveAll,
    parts: OversubParts,
    dropper: Dropper,
  ) {
    super(components, pages);
    this.#base = base;
    this.#parts = parts;
    this.#dropper = dropper;
  }

  override *run(thread: Thread, vepc: Vepc): Routine<number> {
    const instance = this.#parts.instances.of(vepc.id);
    if (instance === undefined) return yield* this.#base.run(thread, vepc);
    yield* lockInstance(thread, instance);
    const result = yield* this.#all(thread, instance);
    vepc.lock.release(thread);
    return result;
  }

  *#all(thread: Thread, instance: OversubInstance): Routine<number> {
    const { records } = instance;
    let failures = 0;
    for (let index = records.next(0); index !== NONE; index = records.next(index + 1)) {
      const result = yield* this.#one(thread, instance, index);
      if (result === SgxCode.CHILD_PRESENT) failures++;
      else if (result !== SgxCode.SUCCESS) return this.refused(thread, result);
    }
    return failures;
  }

  /**
   * A SECS whose evicted children would be orphans stays, as one with resident children does. While it is pinned a child
   * is on its way, and may not be counted yet.
   */
  *#one(thread: Thread, instance: OversubInstance, index: number): Routine<number> {
    const { records, vepc } = instance;
    if (records.evictedChildren(index) > 0 || records.pins(index) > 0) return SgxCode.CHILD_PRESENT;
    if (records.state(index) === GuestState.EVICTED)
      return yield* this.removeEvicted(thread, instance, index);
    const result = yield* this.pages.remove(thread, vepc.pages.get(index));
    if (result === SgxCode.SUCCESS) yield* this.removed(thread, instance, index);
    return result;
  }

  /** The page is unused now. */
  protected *removed(thread: Thread, instance: OversubInstance, index: number): Routine<void> {
    const { records } = instance;
    // What a SECS has owed goes with it.
    records.addOwed(index, -records.owed(index));
    // A reclaimer that has the page finds nothing to write any more.
    if (records.state(index) === GuestState.ZAPPED) records.setClass(index, GuestClass.INVALID);
    // While a batch has it, it stays lost, and the next touch waits for that.
    if (records.state(index) === GuestState.LOST)
      yield* replace(thread, this.#parts, { instance, index, page: instance.vepc.pages.get(index) });
  }

  /** The guest finds an unused page at its next touch. */
  protected *removeEvicted(thread: Thread, instance: OversubInstance, index: number): Routine<number> {
    yield* this.#dropper.drop(thread, instance, index);
    return SgxCode.SUCCESS;
  }
}
