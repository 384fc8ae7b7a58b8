import type {
  BlockedResult,
  Op,
  OwnerId,
  OwnerKindId,
  PageIndex,
  PageOwner,
  PinResult,
  PreparedResult,
  Routine,
  Thread,
  WrittenResult,
} from '@epckit/interface';
import { Blocked, InvariantViolation, Killed, Pin, Prepared, Written } from '@epckit/interface';

/**
 * The five operations of an owner in the manager of 2018 (`struct sgx_epc_page_ops`, SGX series v13). Blocking and
 * writing cannot fail.
 */
export interface PageOps2018 {
  /** Op to yield before {@link get}. */
  getAt(page: PageIndex): Op;
  /** Pins the owner; false: it is being torn down. Plain, under the list lock. */
  get(thread: Thread, page: PageIndex): boolean;
  /** Op to yield before {@link put}. */
  putAt(owner: OwnerId): Op;
  /** Drops the pin. @returns true for the last reference */
  put(thread: Thread, owner: OwnerId): boolean;
  /** Final release after the last {@link put}. */
  release(thread: Thread, owner: OwnerId): Routine<void>;
  /** Decides whether the page can go: not young, not in use. After true nothing stops it any more. */
  reclaim(thread: Thread, page: PageIndex): Routine<boolean>;
  /** Removes all mappings, EBLOCK. */
  block(thread: Thread, page: PageIndex): Routine<void>;
  /** Writes the page; it is invalid in the EPCM afterwards. */
  write(thread: Thread, page: PageIndex): Routine<void>;
}

/** An owner of 2018 behind the contract of today. */
class Owner2018 implements PageOwner {
  readonly kind: OwnerKindId;
  readonly #ops: PageOps2018;

  constructor(kind: OwnerKindId, ops: PageOps2018) {
    this.kind = kind;
    this.#ops = ops;
  }

  pinAt(page: PageIndex): Op {
    return this.#ops.getAt(page);
  }
  get(thread: Thread, page: PageIndex): PinResult {
    return this.#ops.get(thread, page) ? Pin.PINNED : Pin.GONE;
  }
  /** Age is the business of `reclaim`. */
  *young(): Routine<boolean> {
    return false;
  }
  *prepare(thread: Thread, page: PageIndex): Routine<PreparedResult> {
    return (yield* this.#ops.reclaim(thread, page)) ? Prepared.READY : Prepared.BUSY;
  }
  *block(thread: Thread, page: PageIndex): Routine<BlockedResult> {
    yield* this.#ops.block(thread, page);
    return Blocked.OK;
  }
  *write(thread: Thread, page: PageIndex): Routine<WrittenResult> {
    yield* this.#ops.write(thread, page);
    return Written.FREED;
  }
  putAt(owner: OwnerId): Op {
    return this.#ops.putAt(owner);
  }
  put(thread: Thread, owner: OwnerId): boolean {
    return this.#ops.put(thread, owner);
  }
  release(thread: Thread, owner: OwnerId): Routine<void> {
    return this.#ops.release(thread, owner);
  }
  /** The manager of 2018 kills nobody; the pin goes. */
  *kill(thread: Thread, owner: OwnerId): Routine<typeof Killed.REFUSED> {
    yield this.putAt(owner);
    if (this.put(thread, owner)) yield* this.release(thread, owner);
    return Killed.REFUSED;
  }
}

/** Makes an owner of 2018 serve pages of `kind` behind today's contract. */
export function from2018(kind: OwnerKindId, ops: PageOps2018): PageOwner {
  return new Owner2018(kind, ops);
}

/**
 * Makes an owner of today look like one of 2018. What can fail must fail in `reclaim`, so it blocks the page, too:
 * `block` has nothing left to do, and a whole batch is blocked before its first write as before.
 *
 * @throws InvariantViolation from `write` for a page that cannot be written: the contract has no word for it
 */
export function to2018(owner: PageOwner): PageOps2018 {
  return {
    getAt: (page) => owner.pinAt(page),
    get: (thread, page) => owner.get(thread, page) === Pin.PINNED,
    putAt: (instance) => owner.putAt(instance),
    put: (thread, instance) => owner.put(thread, instance),
    release: (thread, instance) => owner.release(thread, instance),
    *reclaim(thread, page) {
      if (yield* owner.young(thread, page)) return false;
      if ((yield* owner.prepare(thread, page)) !== Prepared.READY) return false;
      return (yield* owner.block(thread, page)) === Blocked.OK;
    },
    *block() {},
    *write(thread, page) {
      const written = yield* owner.write(thread, page);
      if (written === Written.FREED) return;
      throw new InvariantViolation(`EPC page ${page} was not written, and is freed nevertheless.`);
    },
  };
}
