import type { CpuId, PageIndex } from '@epckit/interface';
import { NONE } from '@epckit/interface';

const FIRST_EPOCH = 1;
const START_SLOTS = 16;

/**
 * TLB tracking: an epoch and two counts of logical processors per SECS, and per logical processor the
 * enclave and the epoch that it entered in.
 *
 * The SDM names the parts (entry epoch, TRACKING of the SECS, blocked-page epoch) and documents results; the
 * machine itself is a decision of the model that agrees with every documented result. [model] A TLB entry to a blocked page
 * can exist only in a processor that entered at or before the page's epoch and never left: it is counted in
 * `current` until the next ETRACK, in `previous` after it, and gone when `previous` is 0.
 */
export class Tracking {
  #epoch = new Uint32Array(START_SLOTS);
  #current = new Uint32Array(START_SLOTS);
  #previous = new Uint32Array(START_SLOTS);
  readonly #entryEpoch: Uint32Array;
  readonly #activeSecs: Int32Array;
  readonly #activeTcs: Int32Array;

  constructor(cpuCount: number) {
    this.#entryEpoch = new Uint32Array(cpuCount);
    this.#activeSecs = new Int32Array(cpuCount).fill(NONE);
    this.#activeTcs = new Int32Array(cpuCount).fill(NONE);
  }

  /** Starts a SECS: first epoch, nobody inside. */
  reset(slot: number): void {
    if (slot >= this.#epoch.length) this.#grow();
    this.#epoch[slot] = FIRST_EPOCH;
    this.#current[slot] = 0;
    this.#previous[slot] = 0;
  }
  /** Every processor is outside; SECS slots are reset one by one when they are used again. */
  clear(): void {
    this.#activeSecs.fill(NONE);
    this.#activeTcs.fill(NONE);
  }

  /** Epoch, starting at 1. */
  epoch(slot: number): number {
    return this.#epoch[slot] as number;
  }
  /** ETRACKs that succeeded since ECREATE. */
  cycles(slot: number): number {
    return this.epoch(slot) - FIRST_EPOCH;
  }
  /** Processors inside that entered in the current epoch. */
  current(slot: number): number {
    return this.#current[slot] as number;
  }
  /** Processors inside that entered in the epoch before. */
  previous(slot: number): number {
    return this.#previous[slot] as number;
  }
  /** Is any processor inside? */
  isActive(slot: number): boolean {
    return this.current(slot) + this.previous(slot) !== 0;
  }

  /** SECS page of the enclave that the processor is in, or -1. */
  activeSecs(cpu: CpuId): PageIndex {
    return this.#activeSecs[cpu] as number;
  }
  /** Is the processor in an enclave? */
  isInside(cpu: CpuId): boolean {
    return this.activeSecs(cpu) >= 0;
  }
  /** TCS page that the processor entered through, or -1. */
  activeTcs(cpu: CpuId): PageIndex {
    return this.#activeTcs[cpu] as number;
  }

  /** Says that the processor is in an enclave without counting it. @returns what {@link activeSecs} said before */
  pretend(cpu: CpuId, secs: PageIndex): PageIndex {
    const before = this.activeSecs(cpu);
    this.#activeSecs[cpu] = secs;
    return before;
  }

  /** EENTER and ERESUME: counts the processor in the current epoch. */
  enter(cpu: CpuId, slot: number, secs: PageIndex, tcs: PageIndex): void {
    this.#entryEpoch[cpu] = this.epoch(slot);
    this.#activeSecs[cpu] = secs;
    this.#activeTcs[cpu] = tcs;
    this.#current[slot] = this.current(slot) + 1;
  }
  /** EEXIT and AEX: drops the reference where it is counted. */
  leave(cpu: CpuId, slot: number): void {
    if (this.#entryEpoch[cpu] === this.epoch(slot)) this.#current[slot] = this.current(slot) - 1;
    else this.#previous[slot] = this.previous(slot) - 1;
    this.#activeSecs[cpu] = NONE;
    this.#activeTcs[cpu] = NONE;
  }
  /** ETRACK: begins a cycle, or returns false while the one before is incomplete. */
  advance(slot: number): boolean {
    if (this.previous(slot) !== 0) return false;
    this.#epoch[slot] = this.epoch(slot) + 1;
    this.#previous[slot] = this.current(slot);
    this.#current[slot] = 0;
    return true;
  }
  /**
   * Can no processor hold a translation that was made before the page's `trackEpoch` ended?
   *
   * [model] Without an ETRACK since, no: even for an enclave that nobody is in. A page that was just loaded has no
   * epoch and counts as tracked. Both are unconfirmed.
   */
  isTracked(slot: number, trackEpoch: number): boolean {
    if (trackEpoch === 0) return true;
    const cycles = this.epoch(slot) - trackEpoch;
    return cycles >= 2 || (cycles === 1 && this.previous(slot) === 0);
  }

  #grow(): void {
    const length = this.#epoch.length * 2;
    const copy = (column: Uint32Array) => {
      const longer = new Uint32Array(length);
      longer.set(column);
      return longer;
    };
    this.#epoch = copy(this.#epoch);
    this.#current = copy(this.#current);
    this.#previous = copy(this.#previous);
  }
}
