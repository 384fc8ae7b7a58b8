import type { OwnerId, OwnerKindId, PageIndex } from './ids.js';
import type { Op, Routine, Thread } from './routine.js';

/** Result of {@link PageOwner.get}. */
export const Pin = {
  /** the owner instance stays until put */
  PINNED: 0,
  /** the owner instance is being torn down and frees the page itself */
  GONE: 1,
} as const;
/** Result of {@link PageOwner.prepare}. */
export const Prepared = {
  /** block and write will follow; nobody else frees or loads the page meanwhile */
  READY: 0,
  /** not now: the page goes back onto its list */
  BUSY: 1,
  /** the page is no longer reclaimable: it leaves the books of the reclaimer */
  GONE: 2,
} as const;
/** Result of {@link PageOwner.block}. */
export const Blocked = {
  /** no mapping is left, EBLOCK was executed */
  OK: 0,
  /** not now, and the owner has undone what it did: the page goes back onto its list */
  BUSY: 1,
  /** the instance is broken: the page stays with it and is not tracked any more */
  DEAD: 2,
} as const;
/** Result of {@link PageOwner.write}. */
export const Written = {
  /** invalid in the EPCM: the caller frees the page */
  FREED: 0,
  /** still valid: the page stays with the owner and is not tracked any more */
  KEPT: 1,
  /** still valid, and a later batch may try again: the page goes back onto its list */
  BUSY: 2,
} as const;
/** Result of {@link PageOwner.kill}. */
export const Killed = {
  /** the instance begins to die */
  MARKED: 0,
  /** it was dying before: its pages come without a further victim */
  ALREADY_DYING: 1,
  /** it cannot die yet (an enclave that is not created): choose another */
  REFUSED: 2,
} as const;

/** Value of {@link Pin}. */
export type PinResult = (typeof Pin)[keyof typeof Pin];
/** Value of {@link Prepared}. */
export type PreparedResult = (typeof Prepared)[keyof typeof Prepared];
/** Value of {@link Blocked}. */
export type BlockedResult = (typeof Blocked)[keyof typeof Blocked];
/** Value of {@link Written}. */
export type WrittenResult = (typeof Written)[keyof typeof Written];
/** Value of {@link Killed}. */
export type KilledResult = (typeof Killed)[keyof typeof Killed];

/**
 * Whoever EPC pages belong to (2018 `struct sgx_epc_page_ops`, widened by what KVM's owner needs).
 *
 * Operations of one page are called by one reclaimer at a time, in the order get → young → prepare → block →
 * write → put; the whole batch is blocked before the first write. Every pinned get is put exactly once, before
 * the page can be allocated again: the instance is the one that {@link FrameTable.owner} names. Between `prepare` = ready and the end of `write` the owner neither frees nor remaps the
 * page. The reclaimer never looks at contents or page types and holds none of its own locks in any operation
 * but `get`.
 *
 * Experimental: the native driver is the only implementation; the owner of guest pages is the second that it is
 * made for.
 *
 * @experimental
 */
export interface PageOwner {
  /** Kind that this owner serves. */
  readonly kind: OwnerKindId;
  /** Op to yield before {@link get}: the owner's reference count. */
  pinAt(page: PageIndex): Op;
  /**
   * Pins the page's owner instance unless it is being torn down. Plain: called under the list lock, must not
   * sleep.
   */
  get(thread: Thread, page: PageIndex): PinResult;
  /** Was the page accessed since it was last asked? Clears what it looks at. May sleep. */
  young(thread: Thread, page: PageIndex): Routine<boolean>;
  /**
   * Decides under the owner's locks whether the page can go, gets everything that may fail for benign reasons
   * (backing) and from then on makes faults on the page wait. Who ignores age does not ask {@link young}.
   */
  prepare(thread: Thread, page: PageIndex): Routine<PreparedResult>;
  /** Removes every mapping, then EBLOCK. `BUSY`: the owner has undone what it did. */
  block(thread: Thread, page: PageIndex): Routine<BlockedResult>;
  /** Writes the page out of the EPC. `FREED`: invalid in the EPCM, the caller frees it. */
  write(thread: Thread, page: PageIndex): Routine<WrittenResult>;
  /** Op to yield before {@link put}. */
  putAt(owner: OwnerId): Op;
  /**
   * Drops the pin of the instance that `get` pinned. Plain. The caller reads {@link FrameTable.owner} while the
   * page cannot change hands: before it is back on a list, and before it is free.
   *
   * @returns true for the last reference: the caller runs {@link release}
   */
  put(thread: Thread, owner: OwnerId): boolean;
  /** Final release of an instance; may sleep. */
  release(thread: Thread, owner: OwnerId): Routine<void>;
  /**
   * EPC ran out and the instance was chosen: it dies. The caller has pinned it by {@link get} and read its number
   * from the frame table; the pin is consumed, whatever the result, and with it perhaps the last reference. The caller
   * holds no locks.
   */
  kill(thread: Thread, owner: OwnerId): Routine<KilledResult>;
}

/** Finds the owner of a kind; composition fills it, the reclaimer reads it on every operation of an owner. */
export interface OwnerRegistry {
  /** Registers an owner. @throws MisuseError when the kind is taken */
  register(owner: PageOwner): void;
  /** Owner of a kind. @throws InvariantViolation if there is none */
  of(kind: OwnerKindId): PageOwner;
}
