import type { AccessMonitor, ObjectRegistry } from '@epckit/interface';
import { MisuseError, NONE } from '@epckit/interface';

/** Where a page of an instance is. The flags of the published code, written as one state. */
export const GuestState = {
  /** no EPC page and nothing saved: the next touch gets an unused page */
  EMPTY: 0,
  /** has an EPC page, and an entry of the page table may map it */
  PRESENT: 1,
  /** unmapped, in a reclaimer's hands: faults wait */
  ZAPPED: 2,
  /** its contents are in the backing store */
  EVICTED: 3,
  /** has an EPC page, but the entry could not be inserted */
  UNMAPPED: 4,
  /** has an EPC page with a memory error, found when it was unmapped: nobody maps or writes it any more */
  LOST: 5,
} as const;
/** Value of {@link GuestState}. */
export type GuestStateId = (typeof GuestState)[keyof typeof GuestState];

/** What ERDINFO said of a page when it was zapped last; meaningful from then until the page is loaded. */
export const GuestClass = {
  /** not asked yet */
  UNKNOWN: 0,
  /** VALID is 0: nothing to save */
  INVALID: 1,
  /** a SECS without children in the EPC */
  SECS: 2,
  /** a page of an enclave */
  CHILD: 3,
  /** a version array page of the guest's own */
  VA: 4,
} as const;
/** Value of {@link GuestClass}. */
export type GuestClassId = (typeof GuestClass)[keyof typeof GuestClass];

const BLOCKED = 1;
const LISTED = 2;
const LEFT = 4;
const RESERVED = 8;

/**
 * What the host knows of each page of an instance beside its EPC page: 24 bytes per page of the file. All zero is
 * "never touched". Read and written under the instance's lock.
 */
export class GuestRecords {
  /** Pages of the file. */
  readonly pageCount: number;
  readonly #states: Uint8Array;
  readonly #classes: Uint8Array;
  readonly #flags: Uint8Array;
  /** Version slot + 1, `0` while not evicted. */
  readonly #slots: Int32Array;
  readonly #pins: Int32Array;
  readonly #evicted: Int32Array;
  readonly #owed: Int32Array;
  /** Host page of the SECS + 1. */
  readonly #secs: Float64Array;
  readonly #monitor: AccessMonitor | null;
  readonly #object: number;

  constructor(pageCount: number, name: string, objects: ObjectRegistry, monitor: AccessMonitor | null) {
    this.pageCount = pageCount;
    this.#states = new Uint8Array(pageCount);
    this.#classes = new Uint8Array(pageCount);
    this.#flags = new Uint8Array(pageCount);
    this.#slots = new Int32Array(pageCount);
    this.#pins = new Int32Array(pageCount);
    this.#evicted = new Int32Array(pageCount);
    this.#owed = new Int32Array(pageCount);
    this.#secs = new Float64Array(pageCount);
    this.#monitor = monitor;
    this.#object = objects.range(`records of ${name}`, 1);
  }

  /** Where the page is. */
  state(index: number): GuestStateId {
    this.#read(index);
    return this.#states[index] as GuestStateId;
  }
  /** Moves the page to another state; what else it needs is the caller's. */
  setState(index: number, state: GuestStateId): void {
    this.#monitor?.write(this.#object);
    this.#states[index] = state;
  }

  /** What ERDINFO said. */
  classOf(index: number): GuestClassId {
    this.#read(index);
    return this.#classes[index] as GuestClassId;
  }
  /** Notes what ERDINFO says. */
  setClass(index: number, value: GuestClassId): void {
    this.#monitor?.write(this.#object);
    this.#classes[index] = value;
  }

  /** Had the guest blocked the page before the host came? */
  isGuestBlocked(index: number): boolean {
    return this.#has(index, BLOCKED);
  }
  /** Notes whether the guest had blocked the page. */
  setGuestBlocked(index: number, isBlocked: boolean): void {
    this.#set(index, BLOCKED, isBlocked);
  }
  /** Is the page in the reclaimer's books because of this instance? It is marked once per stay in the EPC. */
  isListed(index: number): boolean {
    return this.#has(index, LISTED);
  }
  /** Notes that the page is, or is not any more, in the reclaimer's books. */
  setListed(index: number, isListed: boolean): void {
    this.#set(index, LISTED, isListed);
  }

  /** Did a reclaimer give up the page after it was zapped, so that another batch has to finish it? */
  isLeft(index: number): boolean {
    return this.#has(index, LEFT);
  }
  /** Notes that the page waits for another batch, or that one has come. */
  setLeft(index: number, isLeft: boolean): void {
    this.#set(index, LEFT, isLeft);
  }

  /** Is the page between the reservation of its backing pages and its write? These must not be dropped meanwhile. */
  isInFlight(index: number): boolean {
    return this.#has(index, RESERVED) || this.state(index) === GuestState.ZAPPED;
  }
  /** Notes that backing pages are reserved, or are not needed any more. */
  setReserved(index: number, isReserved: boolean): void {
    this.#set(index, RESERVED, isReserved);
  }

  /** Version slot of an evicted page, or `-1`. */
  slot(index: number): number {
    this.#read(index);
    return (this.#slots[index] as number) - 1;
  }
  /** Remembers the version slot; `-1` forgets it. */
  setSlot(index: number, slot: number): void {
    this.#monitor?.write(this.#object);
    this.#slots[index] = slot + 1;
  }

  /** Host page of the SECS of a child, as it was at block time; `-1` if none is known. */
  secsPage(index: number): number {
    this.#read(index);
    return (this.#secs[index] as number) - 1;
  }
  /** Remembers the host page of the SECS. */
  setSecsPage(index: number, hostPage: number): void {
    this.#monitor?.write(this.#object);
    this.#secs[index] = hostPage + 1;
  }

  /** How many writes and loads of children need this SECS to stay. */
  pins(index: number): number {
    this.#read(index);
    return this.#pins[index] as number;
  }
  /** Changes {@link pins} by `count`. */
  addPins(index: number, count: number): void {
    this.#monitor?.write(this.#object);
    this.#pins[index] = (this.#pins[index] as number) + count;
  }

  /** Children of this SECS that are evicted, in any instance. */
  evictedChildren(index: number): number {
    this.#read(index);
    return this.#evicted[index] as number;
  }
  /** Changes {@link evictedChildren} by `count`. */
  addEvictedChildren(index: number, count: number): void {
    this.#monitor?.write(this.#object);
    this.#evicted[index] = (this.#evicted[index] as number) + count;
  }

  /** Children that were dropped while this SECS was evicted or in use: VIRTCHILDCNT is too large by them. */
  owed(index: number): number {
    this.#read(index);
    return this.#owed[index] as number;
  }
  /** Changes {@link owed} by `count`. */
  addOwed(index: number, count: number): void {
    this.#monitor?.write(this.#object);
    this.#owed[index] = (this.#owed[index] as number) + count;
  }

  /** Forgets what was known of a page that is unused now: no EPC page, nothing saved. */
  clear(index: number): void {
    this.#monitor?.write(this.#object);
    this.#states[index] = GuestState.EMPTY;
    this.#classes[index] = GuestClass.UNKNOWN;
    this.#flags[index] = 0;
    this.#slots[index] = 0;
    this.#evicted[index] = 0;
    this.#owed[index] = 0;
    this.#secs[index] = 0;
  }

  /** First page at or after `index` that is not EMPTY, or `-1`. */
  next(index: number): number {
    this.#monitor?.read(this.#object);
    for (let at = index; at < this.pageCount; at++) if (this.#states[at] !== GuestState.EMPTY) return at;
    return NONE;
  }

  #read(index: number): void {
    if (!(index >= 0 && index < this.pageCount)) throw beyondRange(index, this.pageCount);
    this.#monitor?.read(this.#object);
  }
  #has(index: number, flag: number): boolean {
    this.#read(index);
    return ((this.#flags[index] as number) & flag) !== 0;
  }
  #set(index: number, flag: number, isOn: boolean): void {
    this.#monitor?.write(this.#object);
    const flags = this.#flags[index] as number;
    this.#flags[index] = isOn ? flags | flag : flags & ~flag;
  }
}

function beyondRange(index: number, pageCount: number): MisuseError {
  return new MisuseError('The page is not one of the instance.', [
    `given: ${index}`,
    `allowed: 0 … ${pageCount - 1}`,
  ]);
}
