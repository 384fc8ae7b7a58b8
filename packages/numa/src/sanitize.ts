import type {
  FrameTable,
  ListId,
  Probe,
  Routine,
  SgxHardware,
  SharedNumber,
  Thread,
} from '@epckit/interface';
import { Cost, Leaf, Mode } from '@epckit/interface';
import type { NodeLists } from './node-lists.js';

/** How a sanitizing run may be ended early. */
export interface SanitizeOptions {
  /** Is the thread to stop (Linux `kthread_should_stop`)? Asked before each page. Default: never. */
  readonly stopRequested?: () => boolean;
}

/** What sanitizing works with. */
export interface SanitizeParts {
  readonly frames: FrameTable;
  readonly hardware: SgxHardware;
  readonly lists: NodeLists;
  readonly free: SharedNumber;
  readonly probe: Probe | null;
  /** Pages in an unknown state. */
  readonly dirty: ListId;
  /** Pages that the current pass could not clean. */
  readonly left: ListId;
}

/**
 * Makes the EPC usable after boot: EREMOVE of every page on the dirty list, twice, because a SECS cannot be
 * removed before its children and these may lie in other sections (Linux `ksgxd`, 5.17 and later).
 *
 * Pages can be allocated from the moment at which the first of them is clean.
 *
 * @returns pages that stay dirty; not zero is a kernel warning
 */
export function* sanitize(parts: SanitizeParts, thread: Thread, options: SanitizeOptions): Routine<number> {
  yield* sanitizePass(parts, thread, options);
  const left = yield* sanitizePass(parts, thread, options);
  if (left !== 0) parts.probe?.warned(thread.id, 'ksgxd');
  return left;
}

/** One pass (Linux `__sgx_sanitize_pages`). One generator for all pages: there may be millions. */
function* sanitizePass(parts: SanitizeParts, thread: Thread, options: SanitizeOptions): Routine<number> {
  const { frames, hardware, lists, free, dirty, left } = parts;
  for (let page = frames.first(dirty); page >= 0; page = frames.first(dirty)) {
    if (options.stopRequested?.() === true) break;
    if (thread.spend(Cost.STEP) > thread.limit) yield frames.poisonAt(page, Mode.READ);
    const isPoisoned = frames.isPoisoned(page);
    if (!isPoisoned) {
      if (thread.spend(Cost.EREMOVE) > thread.limit) {
        yield hardware.leafAt(page, thread.cpu, Leaf.EREMOVE);
      }
      const result = hardware.eremove(thread.cpu, page);
      frames.unlink(page);
      if (result !== 0) {
        frames.append(left, page);
        continue;
      }
    }
    const node = frames.node(page);
    const lock = lists.lock(node);
    while (lock.mustWait(thread)) yield lock.acquire;
    if (isPoisoned) lists.condemn(node, page);
    else lists.putFree(thread, node, page);
    lock.release(thread);
    if (isPoisoned) continue;
    if (thread.clock > thread.limit) yield free.adding;
    free.add(thread, 1);
  }
  const isStopped = frames.first(dirty) >= 0;
  const leftCount = frames.length(left);
  frames.spliceToHead(left, dirty);
  return isStopped ? 0 : leftCount;
}
