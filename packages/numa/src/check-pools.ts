import type { FrameTable, ListId, NodeId, PageIndex } from '@epckit/interface';
import { FrameFlag, OwnerKind } from '@epckit/interface';
import type { NodePools } from './node-pools.js';

/**
 * Checks pools in a quiet state: a page on a free list belongs to the list's node, is marked free, has no owner
 * and is not poisoned; poison lists hold poisoned pages only; the global count is the sum of the free lists,
 * plus at most the poisoned pages that Linux keeps counting.
 *
 * @returns what is wrong, one sentence each; empty for sound pools
 */
export function checkPools(pools: NodePools, frames: FrameTable): readonly string[] {
  const problems: string[] = [];
  let freePages = 0;
  let poisonedPages = 0;
  for (const node of pools.nodes) {
    const isFree = (page: PageIndex) => isSoundlyFree(frames, page);
    freePages += walk(frames, pools.lists.free(node), node, isFree, problems);
    const isPoisoned = (page: PageIndex) => frames.isPoisoned(page);
    poisonedPages += walk(frames, pools.lists.poison(node), node, isPoisoned, problems);
  }
  const surplus = pools.free - freePages;
  if (surplus < 0 || surplus > poisonedPages) {
    problems.push(`The count of free pages is ${pools.free}, the lists hold ${freePages}.`);
  }
  return problems;
}

/** @returns number of pages on the list */
function walk(
  frames: FrameTable,
  list: ListId,
  node: NodeId,
  isSound: (page: PageIndex) => boolean,
  problems: string[],
): number {
  let count = 0;
  for (let page = frames.first(list); page >= 0 && count <= frames.pageCount; page = frames.next(page)) {
    count++;
    if (frames.node(page) === node && isSound(page)) continue;
    problems.push(`Page ${page} should not be on the list "${frames.listName(list)}".`);
  }
  return count;
}

function isSoundlyFree(frames: FrameTable, page: PageIndex): boolean {
  const isMarked = frames.flags(page) === FrameFlag.IS_FREE;
  return isMarked && frames.kind(page) === OwnerKind.NONE && !frames.isPoisoned(page);
}
