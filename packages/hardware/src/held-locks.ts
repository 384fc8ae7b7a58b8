import type { CpuId, LeafResult, PageIndex } from '@epckit/interface';
import type { ConflictRow } from './conflicts.js';
import { Hold } from './conflicts.js';

/** Most rows that one leaf has in the conflict table. */
const HOLDS_PER_CPU = 4;

/** What each logical processor holds while its leaf runs. */
export class HeldLocks {
  readonly #cpuCount: number;
  readonly #pages: Int32Array;
  readonly #holds: Uint8Array;
  readonly #counts: Uint8Array;
  /** Is the processor in a guest with EPC virtualization extensions? */
  readonly #isExtended: Uint8Array;
  /** processors that hold anything */
  #holders = 0;

  constructor(cpuCount: number) {
    this.#cpuCount = cpuCount;
    this.#pages = new Int32Array(cpuCount * HOLDS_PER_CPU);
    this.#holds = new Uint8Array(cpuCount * HOLDS_PER_CPU);
    this.#counts = new Uint8Array(cpuCount);
    this.#isExtended = new Uint8Array(cpuCount);
  }

  /** Is the processor in VMX non-root operation with "enable EPC virtualization extensions"? */
  isExtended(cpu: CpuId): boolean {
    return this.#isExtended[cpu] !== 0;
  }
  /** Moves the processor into or out of such a guest. */
  setExtended(cpu: CpuId, extended: boolean): void {
    this.#isExtended[cpu] = extended ? 1 : 0;
  }

  /** Outcome of a leaf that reaches `row` for `page`: 0, or the row's result if another processor refuses it. */
  judge(cpu: CpuId, row: ConflictRow, page: PageIndex): LeafResult {
    if (this.#holders === 0) return 0;
    if (!this.#isRefused(cpu, row, page)) return 0;
    return this.isExtended(cpu) ? row.guestResult : row.result;
  }

  /** Does the processor hold anything? */
  isHolding(cpu: CpuId): boolean {
    return this.#counts[cpu] !== 0;
  }
  /** Number of holds of a processor. */
  count(cpu: CpuId): number {
    return this.#counts[cpu] as number;
  }
  /** Page of one hold. */
  page(cpu: CpuId, index: number): PageIndex {
    return this.#pages[cpu * HOLDS_PER_CPU + index] as number;
  }

  /** Takes what `row` says; the caller has judged it. */
  take(cpu: CpuId, row: ConflictRow, page: PageIndex): void {
    if (row.holds === 0) return;
    const count = this.#counts[cpu] as number;
    if (count === 0) this.#holders++;
    this.#pages[cpu * HOLDS_PER_CPU + count] = page;
    this.#holds[cpu * HOLDS_PER_CPU + count] = row.holds;
    this.#counts[cpu] = count + 1;
  }
  /** Gives back everything that the processor holds. */
  release(cpu: CpuId): void {
    if (this.#counts[cpu] === 0) return;
    this.#counts[cpu] = 0;
    this.#holders--;
  }
  /** Gives back everything of everybody. */
  clear(): void {
    this.#counts.fill(0);
    this.#holders = 0;
  }

  #isRefused(cpu: CpuId, row: ConflictRow, page: PageIndex): boolean {
    for (let other = 0; other < this.#cpuCount; other++) {
      if (other === cpu) continue;
      const end = other * HOLDS_PER_CPU + (this.#counts[other] as number);
      for (let at = other * HOLDS_PER_CPU; at < end; at++) {
        const hold = this.#holds[at] as number;
        // EUPDATESVN is about every page: it has no operand of its own.
        const isMet = this.#pages[at] === page || ((hold | row.holds) & Hold.UPDATE) !== 0;
        if (isMet && (hold & row.refusedBy) !== 0) return true;
      }
    }
    return false;
  }
}
