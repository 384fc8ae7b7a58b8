import type { SecsSource } from '@epckit/interface';
import { Attribute } from '@epckit/interface';

/** The enclave range and the software-visible fields of a SECS, for reports and invariants. */
export interface EnclaveEntry {
  /** EID: unique until the end of the process that models the machine, also across power cycles. */
  readonly enclaveId: number;
  /** First page of ELRANGE. */
  readonly basePage: number;
  /** Size of ELRANGE in pages. */
  readonly pageCount: number;
  /** Attribute bits, INIT included. */
  readonly attributes: number;
  /** SSA frame size in pages. */
  readonly ssaFrameSize: number;
}

const EMPTY: EnclaveEntry = { enclaveId: 0, basePage: 0, pageCount: 0, attributes: 0, ssaFrameSize: 0 };

/**
 * Contents of SECS pages, one slot per SECS that exists in or outside the EPC.
 *
 * An enclave page costs nothing here, and an evicted SECS keeps its slot: what is in the encrypted image
 * (EID, range, INIT, measurement) is simply still there when it comes back.
 */
export class SecsTable {
  readonly #entries: EnclaveEntry[] = [];
  readonly #children: number[] = [];
  readonly #measureLow: number[] = [];
  readonly #measureHigh: number[] = [];
  readonly #free: number[] = [];
  #lastEnclaveId = 0;

  /** Number of slots ever used; slots that are free now have EID 0. */
  get slotCount(): number {
    return this.#entries.length;
  }

  /** Takes a slot for a new SECS and gives it the next EID. */
  create(source: SecsSource): number {
    const slot = this.#free.pop() ?? this.#entries.length;
    const { basePage, pageCount, attributes, ssaFrameSize } = source;
    this.#lastEnclaveId++;
    this.#entries[slot] = { enclaveId: this.#lastEnclaveId, basePage, pageCount, attributes, ssaFrameSize };
    this.#children[slot] = 0;
    this.#measureLow[slot] = 0;
    this.#measureHigh[slot] = 0;
    return slot;
  }
  /** Forgets a SECS for ever. */
  release(slot: number): void {
    this.#entries[slot] = EMPTY;
    this.#free.push(slot);
  }
  /** Forgets all of them; EIDs go on. */
  clear(): void {
    this.#entries.length = 0;
    this.#free.length = 0;
  }

  /** Fields for reports. */
  entry(slot: number): EnclaveEntry {
    return this.#entries[slot] ?? EMPTY;
  }
  /** EID. */
  enclaveId(slot: number): number {
    return this.entry(slot).enclaveId;
  }
  /** ATTRIBUTES.INIT. */
  isInitialised(slot: number): boolean {
    return (this.entry(slot).attributes & Attribute.INIT) !== 0;
  }
  /** Sets ATTRIBUTES.INIT. */
  initialise(slot: number): void {
    const entry = this.entry(slot);
    this.#entries[slot] = { ...entry, attributes: entry.attributes | Attribute.INIT };
  }
  /** Is the page in [BASEADDR, BASEADDR + SIZE)? */
  contains(slot: number, linearPage: number): boolean {
    const { basePage, pageCount } = this.entry(slot);
    return linearPage >= basePage && linearPage < basePage + pageCount;
  }

  /** Valid child pages in the EPC. */
  children(slot: number): number {
    return this.#children[slot] as number;
  }
  /** Adds to the child count. */
  addChildren(slot: number, count: number): void {
    this.#children[slot] = this.children(slot) + count;
  }

  /** Low half of the running measurement. */
  measureLow(slot: number): number {
    return this.#measureLow[slot] as number;
  }
  /** High half of the running measurement. */
  measureHigh(slot: number): number {
    return this.#measureHigh[slot] as number;
  }
  /** Replaces the running measurement. */
  setMeasure(slot: number, low: number, high: number): void {
    this.#measureLow[slot] = low;
    this.#measureHigh[slot] = high;
  }

  /** Slot of the enclave with this EID, or -1. Looks at every slot. */
  find(enclaveId: number): number {
    return enclaveId === 0 ? -1 : this.#entries.findIndex((entry) => entry.enclaveId === enclaveId);
  }
}
