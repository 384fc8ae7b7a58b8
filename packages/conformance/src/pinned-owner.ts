// biome-ignore-all lint/correctness/useYield: kits call none of the routines
import type {
  BlockedResult,
  KilledResult,
  Op,
  OwnerKindId,
  OwnerRegistry,
  PageIndex,
  PageOwner,
  PinResult,
  PreparedResult,
  Routine,
  Thread,
  WrittenResult,
} from '@epckit/interface';
import { Blocked, Killed, Pin, Prepared, Written } from '@epckit/interface';

/** An owner that notes which pages were pinned, with a registry that knows it alone. */
export class PinnedOwner implements PageOwner {
  readonly kind: OwnerKindId;
  /** Pages whose instance is gone. */
  readonly gone = new Set<PageIndex>();
  /** Finds this owner whatever is asked for. */
  readonly registry: OwnerRegistry = { register: () => {}, of: () => this };
  readonly #pinned: PageIndex[] = [];

  constructor(kind: OwnerKindId) {
    this.kind = kind;
  }

  /** Pages that were pinned, ascending. */
  get pinned(): readonly PageIndex[] {
    return [...this.#pinned].sort((a, b) => a - b);
  }

  pinAt(): Op {
    return 0;
  }

  get(_thread: Thread, page: PageIndex): PinResult {
    if (this.gone.has(page)) return Pin.GONE;
    this.#pinned.push(page);
    return Pin.PINNED;
  }

  putAt(): Op {
    return 0;
  }

  put(): boolean {
    return false;
  }

  *young(): Routine<boolean> {
    return false;
  }

  *prepare(): Routine<PreparedResult> {
    return Prepared.BUSY;
  }

  *block(): Routine<BlockedResult> {
    return Blocked.BUSY;
  }

  *write(): Routine<WrittenResult> {
    return Written.BUSY;
  }

  *release(): Routine<void> {}

  *kill(): Routine<KilledResult> {
    return Killed.REFUSED;
  }
}
