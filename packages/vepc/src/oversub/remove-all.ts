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

  /** A SECS whose evicted children would be orphans stays, as one with resident children does. */
  *#one(thread: Thread, instance: OversubInstance, index: number): Routine<number> {
    const { records, vepc } = instance;
    if (records.evictedChildren(index) > 0) return SgxCode.CHILD_PRESENT;
    if (records.state(index) === GuestState.EVICTED)
      return yield* this.removeEvicted(thread, instance, index);
    const result = yield* this.pages.remove(thread, vepc.pages.get(index));
    // A reclaimer that has the page finds nothing to write any more.
    const isZapped = records.state(index) === GuestState.ZAPPED;
    if (result === SgxCode.SUCCESS && isZapped) records.setClass(index, GuestClass.INVALID);
    return result;
  }

  /** The guest finds an unused page at its next touch. */
  protected *removeEvicted(thread: Thread, instance: OversubInstance, index: number): Routine<number> {
    yield* this.#dropper.drop(thread, instance, index);
    return SgxCode.SUCCESS;
  }
}
