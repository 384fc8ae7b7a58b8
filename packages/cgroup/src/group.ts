import type { GroupId, LockFactory, Op, RefCount, SharedNumber, Thread } from '@epckit/interface';
import { AtomicNumber } from './atomic-number.js';
import { UNLIMITED } from './parse-max.js';
import type { ResourceId } from './resource.js';
import { resourceNames } from './resource.js';

/**
 * Hard limit of a group (Linux `misc_res.max`): an exact 64-bit number for files, and its value as a number, to
 * which charges are compared. Usage stays below 2⁵³, so the rounding of larger limits changes no comparison.
 */
export class Limit {
  readonly #number: SharedNumber;
  #exact: bigint;

  constructor(name: string, locks: LockFactory, initial: bigint = UNLIMITED) {
    this.#number = locks.sharedNumber(name, numberOf(initial));
    this.#exact = initial;
  }

  /** Op to yield before {@link read} and {@link readExact}. */
  get reading(): Op {
    return this.#number.reading;
  }

  /** Op to yield before {@link write}. */
  get writing(): Op {
    return this.#number.writing;
  }

  /** Limit outside any routine: reports and invariants only. */
  get exact(): bigint {
    return this.#exact;
  }

  /** Limit to compare usage with; infinite if there is none. */
  read(thread: Thread): number {
    return this.#number.read(thread);
  }

  /** Limit to show. */
  readExact(thread: Thread): bigint {
    this.#number.read(thread);
    return this.#exact;
  }

  /** Sets the limit: a plain store, no lock, no rounding. */
  write(thread: Thread, limit: bigint): void {
    this.#number.write(thread, numberOf(limit));
    this.#exact = limit;
  }
}

function numberOf(limit: bigint): number {
  return limit === UNLIMITED ? Number.POSITIVE_INFINITY : Number(limit);
}

/** What a group knows of one resource (Linux `struct misc_res`). */
export class MiscCounters {
  /** Hard limit. */
  readonly max: Limit;
  /** Charge of the group and everything below it. */
  readonly usage: AtomicNumber;
  /** Highest usage that a step of a charge has reached here. */
  readonly watermark: AtomicNumber;
  /** Refusals here or below, except those below the machine's capacity at the root. */
  readonly events: AtomicNumber;
  /** Refusals here. */
  readonly eventsLocal: AtomicNumber;

  constructor(name: string, locks: LockFactory) {
    this.max = new Limit(`${name} max`, locks);
    this.usage = new AtomicNumber(`${name} usage`, 0, locks);
    this.watermark = new AtomicNumber(`${name} watermark`, 0, locks);
    this.events = new AtomicNumber(`${name} events`, 0, locks);
    this.eventsLocal = new AtomicNumber(`${name} events_local`, 0, locks);
  }
}

/**
 * One group of the controller (Linux `struct misc_cg`). It outlives its directory as long as somebody holds a
 * reference: each charged object does, and so does each child.
 */
export class MiscGroup {
  /** Id, as the frame table stores it; 0 is the root. */
  readonly id: GroupId;
  /** Path of the directory when the group was made. */
  readonly name: string;
  /** Group above, null for the root. */
  readonly parent: MiscGroup | null;
  /** Order of making: siblings have ascending ones (Linux `css->serial_nr`). */
  readonly serial: number;
  /** References; the directory holds the first. */
  readonly refs: RefCount;
  /** Groups below that are not freed, in the order of their making; dying ones too. */
  readonly children: MiscGroup[] = [];
  /** Does a directory belong to it? A group without one is dying. */
  isOnline = true;
  /** Resources whose private part was made, and so must be freed. */
  readonly privateParts = new Set<ResourceId>();

  readonly #counters: (MiscCounters | undefined)[] = [];

  /** @internal */
  constructor(
    id: GroupId,
    name: string,
    parent: MiscGroup | null,
    resources: readonly ResourceId[],
    locks: LockFactory,
    serial = 0,
  ) {
    this.serial = serial;
    this.id = id;
    this.name = name;
    this.parent = parent;
    this.refs = locks.refCount(`references of ${name}`, 1);
    for (const resource of resources) {
      this.#counters[resource] = new MiscCounters(`${resourceNames[resource]} of ${name}:`, locks);
    }
  }

  /** Limit and counters of a resource that exists. */
  counters(resource: ResourceId): MiscCounters {
    return this.#counters[resource] as MiscCounters;
  }
  /** Sibling that was made next, or null; also of a group that has left the tree. Plain. */
  nextSibling(): MiscGroup | null {
    const siblings = this.parent?.children ?? [];
    let from = 0;
    for (let to = siblings.length; from < to; ) {
      const middle = (from + to) >> 1;
      if ((siblings[middle] as MiscGroup).serial > this.serial) to = middle;
      else from = middle + 1;
    }
    return siblings[from] ?? null;
  }
}
