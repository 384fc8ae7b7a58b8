/**
 * What the count of free pages makes of poisoned ones. A recipe: Linux counts every page that is freed, and a free
 * page that is poisoned goes on being counted (L-05; `sgx_free_epc_page`, `arch_memory_failure`).
 */
export class FreeCount {
  /**
   * What a page that is freed adds.
   *
   * @param _isUsable - is it on a free list now, and not on a poison list?
   */
  ofFreed(_isUsable: boolean): number {
    return 1;
  }

  /** What a free page adds that is moved to a poison list. */
  ofCondemned(): number {
    return 0;
  }
}

/** The repair of L-05: the count is the length of the free lists. */
export class ExactFreeCount extends FreeCount {
  override ofFreed(isUsable: boolean): number {
    return isUsable ? 1 : 0;
  }

  override ofCondemned(): number {
    return -1;
  }
}
