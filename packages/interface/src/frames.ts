import type { GroupId, ListId, NodeId, OwnerId, OwnerKindId, PageIndex, RecordId } from './ids.js';
import type { ModeId, Op } from './routine.js';

/** Bits of {@link FrameTable.flags} (Linux `SGX_EPC_PAGE_*`). */
export const FrameFlag = {
  /** tracked by the reclaimer: reclaimable list or a reclaimer's batch (`SGX_EPC_PAGE_RECLAIMER_TRACKED`) */
  TRACKED: 1,
  /** on a free list (`SGX_EPC_PAGE_IS_FREE`) */
  IS_FREE: 2,
} as const;

/** Pages of one EPC section, contiguous in {@link FrameTable} numbers (Linux `struct sgx_epc_section`). */
export interface FrameSection {
  /** Node that the section belongs to. */
  readonly node: NodeId;
  /** First page. */
  readonly firstPage: PageIndex;
  /** Number of pages. */
  readonly pageCount: number;
}

/**
 * Software's view of the EPC pages (Linux `struct sgx_epc_page`): owner, record, flags, poison, group and one
 * pair of list links per page. Columns are private; who may write which column is listed in
 * `@epckit/frames`' README and checked by the checking mode.
 *
 * Nothing here takes locks: callers hold what the column's rule says.
 */
export interface FrameTable {
  /** Number of EPC pages. */
  readonly pageCount: number;
  /** Sections in discovery order. */
  readonly sections: readonly FrameSection[];
  /** Goes up with every change of any column or list: equal values, equal table. */
  readonly changes: number;
  /** Node that the page's section belongs to. */
  node(page: PageIndex): NodeId;
  /** Section that the page belongs to. */
  section(page: PageIndex): number;

  /** Kind of the page's owner. */
  kind(page: PageIndex): OwnerKindId;
  /** Owner instance, meaningful while {@link kind} is not NONE. */
  owner(page: PageIndex): OwnerId;
  /** The owner's record of the page. */
  record(page: PageIndex): RecordId;
  /** Sets kind, owner and record at once; {@link OwnerKind.NONE} forgets owner and record. */
  setOwner(page: PageIndex, kind: OwnerKindId, owner: OwnerId, record: RecordId): void;

  /** Bits of {@link FrameFlag}. */
  flags(page: PageIndex): number;
  /** Replaces the flags. */
  setFlags(page: PageIndex, flags: number): void;
  /** {@link flags} without the lock that covers all of them; announced by {@link flagsAt}. */
  peekFlags(page: PageIndex): number;
  /** Op to yield before the flags are touched without the lock that covers them. */
  flagsAt(page: PageIndex, mode: ModeId): Op;
  /** Has the page a reported memory error? Never cleared. */
  isPoisoned(page: PageIndex): boolean;
  /** Marks the page as poisoned. */
  setPoisoned(page: PageIndex): void;
  /** Op to yield before the poison mark is touched: it is read without a lock. */
  poisonAt(page: PageIndex, mode: ModeId): Op;
  /** Cgroup that is charged for the page, or `-1`: nobody is. */
  group(page: PageIndex): GroupId;
  /** Sets the charged group; `-1` forgets it. */
  setGroup(page: PageIndex, group: GroupId): void;

  /** Makes an empty list. `name` appears in reports. */
  createList(name: string): ListId;
  /** Number of lists; their ids are `1 … listCount`. */
  readonly listCount: number;
  /** Op to yield before a list is touched without the lock that covers it. */
  listAt(list: ListId, mode: ModeId): Op;
  /** List that the page is on, `0` for none. */
  listOf(page: PageIndex): ListId;
  /** First page of the list (head), or `-1`. */
  first(list: ListId): PageIndex;
  /** Last page of the list (tail), or `-1`. */
  last(list: ListId): PageIndex;
  /** Page after `page` on its list, or `-1`. */
  next(page: PageIndex): PageIndex;
  /** Page before `page` on its list, or `-1`. */
  previous(page: PageIndex): PageIndex;
  /** Number of pages on the list. */
  length(list: ListId): number;
  /** Adds at the tail. @throws InvariantViolation if the page is on a list */
  append(list: ListId, page: PageIndex): void;
  /** Adds every page, ascending, to an empty list. @throws InvariantViolation if any page is on a list */
  appendAll(list: ListId): void;
  /** Adds at the head. @throws InvariantViolation if the page is on a list */
  prepend(list: ListId, page: PageIndex): void;
  /** Takes the page off its list. @throws InvariantViolation if it is on none */
  unlink(page: PageIndex): void;
  /** Moves all pages of `from`, in order, to the head of `to`. */
  spliceToHead(from: ListId, to: ListId): void;
  /** Name of a list for reports. */
  listName(list: ListId): string;
}
