// biome-ignore-all lint/correctness/useYield: a scripted owner stops nowhere
import type {
  BlockedResult,
  FrameTable,
  KilledResult,
  Op,
  OwnerId,
  PageIndex,
  PageOwner,
  PinResult,
  PreparedResult,
  Routine,
  Thread,
  WrittenResult,
} from '@epckit/interface';
import { Blocked, FrameFlag, Killed, OwnerKind, Pin, Prepared, Written } from '@epckit/interface';

/** What an owner says of one page; the defaults let it go. */
export interface PageScript {
  readonly get?: PinResult;
  readonly young?: boolean;
  readonly prepare?: PreparedResult;
  readonly block?: BlockedResult;
  readonly write?: WrittenResult;
}

/** An owner that answers from a script and notes every call with the state in which it came. */
export class ScriptedOwner implements PageOwner {
  readonly kind = OwnerKind.FIRST_CUSTOM;
  readonly scripts = new Map<PageIndex, PageScript>();
  /** Called in the middle of an operation. */
  during: (operation: string, page: PageIndex) => void = () => {};
  readonly #frames: FrameTable;
  readonly #log: string[];
  /** Page of the last call. */
  #page: PageIndex = -1;

  constructor(frames: FrameTable, log: string[]) {
    this.#frames = frames;
    this.#log = log;
  }

  pinAt(page: PageIndex): Op {
    return 8 * page;
  }

  get(_thread: Thread, page: PageIndex): PinResult {
    this.#called('get', page);
    return this.scripts.get(page)?.get ?? Pin.PINNED;
  }

  *young(_thread: Thread, page: PageIndex): Routine<boolean> {
    this.#called('young', page);
    return this.scripts.get(page)?.young ?? false;
  }

  *prepare(_thread: Thread, page: PageIndex): Routine<PreparedResult> {
    this.#called('prepare', page);
    return this.scripts.get(page)?.prepare ?? Prepared.READY;
  }

  *block(_thread: Thread, page: PageIndex): Routine<BlockedResult> {
    this.#called('block', page);
    return this.scripts.get(page)?.block ?? Blocked.OK;
  }

  *write(_thread: Thread, page: PageIndex): Routine<WrittenResult> {
    this.#called('write', page);
    return this.scripts.get(page)?.write ?? Written.FREED;
  }

  putAt(owner: OwnerId): Op {
    return 8 * owner;
  }

  /** Notes which instance loses a reference, for which page, and where that page is. */
  put(_thread: Thread, owner: OwnerId): boolean {
    const page = this.#page;
    const tracked = (this.#frames.flags(page) & FrameFlag.TRACKED) !== 0 ? ' tracked' : '';
    const listed =
      this.#frames.listOf(page) === 0 ? '' : ` on ${this.#frames.listName(this.#frames.listOf(page))}`;
    this.#called(`put ${owner}:`, page, `${tracked}${listed}`);
    return false;
  }

  *release(): Routine<void> {}

  *kill(): Routine<KilledResult> {
    return Killed.ALREADY_DYING;
  }

  #called(operation: string, page: PageIndex, state = ''): void {
    this.#page = page;
    this.#log.push(`${operation} ${page}${state}`);
    this.during(operation, page);
  }
}
