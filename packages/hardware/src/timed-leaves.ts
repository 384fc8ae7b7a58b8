import type { CpuId, LeafId, LeafResult, PageIndex } from '@epckit/interface';
import { NONE } from '@epckit/interface';
import { acquireRows, releaseRows } from './acquire.js';
import { conflictRowsOf } from './conflicts.js';
import type { Parts } from './parts.js';

/** Times of leaves, where leaves take time. */
export interface LeafTimes {
  /** Time in cycles at which the leaf that `cpu` executes next ends; `-1` if leaves take no time at the moment. */
  endOf(cpu: CpuId): number;
  /** Cycles that the leaf which `cpu` executes next takes; `0`: it overlaps with nothing. */
  cyclesOf(leaf: LeafId, cpu: CpuId): number;
}

/** A leaf and its operands. `owner` is the SECS operand, or that which owns `page`. */
interface Execution {
  leaf: LeafId;
  page: PageIndex;
  secs: PageIndex;
  vaPage: PageIndex;
  owner: PageIndex;
  /** Is it a leaf of a guest with EPC virtualization extensions? */
  isExtended: boolean;
  start: number;
  end: number;
  /** What it will get because another leaf that ran when it started has refused it; 0: nothing known. */
  refusal: LeafResult;
  /** Can it run, or has an operand been taken away from a guest meanwhile? Null: nothing can. */
  isReachable: (() => boolean) | null;
}

/**
 * Leaves that overlap in time. A leaf takes effect at its end. In order of time, a leaf that ends later and has begun
 * before that has been announced ({@link SgxHardware.leafAt}) and waits for its end: so whatever a leaf meets, and
 * whoever meets it, is known when it is executed. Who starts later is refused by what the other one holds.
 */
export class TimedLeaves {
  readonly #parts: Parts;
  readonly #times: LeafTimes;
  /** Announced and not executed yet, by processor. */
  readonly #waiting: (Execution | null)[];
  /** Number of waiting leaves that a page is an operand of. */
  readonly #uses: Uint16Array;
  /** Processors whose leaves hold what they need while a leaf is executed. */
  readonly #holding: CpuId[] = [];
  readonly #now: Execution;
  /** Memory of the announced leaf of each processor. */
  readonly #announced: readonly Execution[];

  constructor(parts: Parts, cpuCount: number, times: LeafTimes) {
    this.#parts = parts;
    this.#times = times;
    this.#waiting = Array.from({ length: cpuCount }, () => null);
    this.#uses = new Uint16Array(parts.epcm.pageCount);
    this.#now = createExecution();
    this.#announced = Array.from({ length: cpuCount }, createExecution);
  }

  /** `cpu` has begun a leaf, which ends when it goes on. */
  announce(cpu: CpuId, leaf: LeafId, page: PageIndex, secs: PageIndex, vaPage: PageIndex): void {
    const end = this.#times.endOf(cpu);
    if (end < 0 || conflictRowsOf(leaf).length === 0) return;
    this.withdraw(cpu);
    const execution = this.#announced[cpu] as Execution;
    this.#set(execution, cpu, leaf, page, secs, vaPage, end);
    this.#waiting[cpu] = execution;
    this.#count(execution, 1);
  }

  /**
   * `cpu` executes a leaf, and {@link ended} follows. Meanwhile those that began before hold what they need.
   *
   * @returns 0, or what the leaf gets because one that has ended was running when it began
   */
  begin(cpu: CpuId, leaf: LeafId, page: PageIndex, secs: PageIndex, vaPage: PageIndex): LeafResult {
    const announced = this.#waiting[cpu] as Execution | null;
    const end = this.#times.endOf(cpu);
    if (announced === null && end < 0) return 0;
    if (announced !== null) this.withdraw(cpu);
    let execution = announced;
    if (execution === null || execution.leaf !== leaf || execution.page !== page) {
      execution = this.#now;
      this.#set(execution, cpu, leaf, page, secs, vaPage, end);
    }
    if (execution.refusal !== 0) return execution.refusal;
    if (this.#isUsed(execution)) this.#meet(cpu, execution);
    return 0;
  }

  /** The leaf that `cpu` has begun has not, unless `isReachable`. */
  bound(cpu: CpuId, isReachable: () => boolean): void {
    const execution = this.#waiting[cpu] as Execution | null;
    if (execution !== null) execution.isReachable = isReachable;
  }

  /** `cpu` does not execute the leaf that it has announced. */
  withdraw(cpu: CpuId): void {
    const execution = this.#waiting[cpu] as Execution | null;
    if (execution === null) return;
    this.#waiting[cpu] = null;
    this.#count(execution, -1);
  }

  /** The leaf has been executed. */
  ended(): void {
    const holding = this.#holding;
    while (holding.length > 0) releaseRows(this.#parts, holding.pop() as CpuId);
  }

  /** Nothing runs any more: power is lost. */
  clear(): void {
    for (let cpu = 0; cpu < this.#waiting.length; cpu++) this.withdraw(cpu);
  }

  /** Those that began before `execution` refuse it; those that began later and meet what it holds are refused. */
  #meet(cpu: CpuId, execution: Execution): void {
    const before: CpuId[] = [];
    const after: CpuId[] = [];
    for (const [other, waiting] of this.#waiting.entries()) {
      if (waiting === null || waiting.refusal !== 0 || other === cpu) continue;
      if (waiting.isReachable?.() === false) continue;
      if (waiting.start >= execution.end || waiting.end <= execution.start) continue;
      const isEarlier = waiting.start < execution.start || (waiting.start === execution.start && other < cpu);
      (isEarlier ? before : after).push(other);
    }
    before.sort((a, b) => this.#startOf(a) - this.#startOf(b));
    for (const other of before) {
      if (this.#acquire(other, this.#waiting[other] as Execution) === 0) this.#holding.push(other);
    }
    if (after.length === 0) return;
    if (this.#acquire(cpu, execution) !== 0) return;
    for (const other of after) {
      const waiting = this.#waiting[other] as Execution;
      waiting.refusal = this.#acquire(other, waiting);
      releaseRows(this.#parts, other);
    }
    releaseRows(this.#parts, cpu);
  }

  /** A conflict is that of where the leaf was announced: the processor is elsewhere until it executes the leaf. */
  #acquire(cpu: CpuId, { leaf, page, secs, vaPage, isExtended }: Execution): LeafResult {
    const { locks } = this.#parts;
    const before = locks.isExtended(cpu);
    locks.setExtended(cpu, isExtended);
    const conflict = acquireRows(this.#parts, cpu, leaf, page, secs, vaPage);
    locks.setExtended(cpu, before);
    return conflict;
  }

  #startOf(cpu: CpuId): number {
    return (this.#waiting[cpu] as Execution).start;
  }

  #set(
    execution: Execution,
    cpu: CpuId,
    leaf: LeafId,
    page: PageIndex,
    secs: PageIndex,
    vaPage: PageIndex,
    end: number,
  ): void {
    const { epcm, locks } = this.#parts;
    execution.isExtended = locks.isExtended(cpu);
    execution.leaf = leaf;
    execution.page = page;
    execution.secs = secs;
    execution.vaPage = vaPage;
    execution.owner = secs === NONE && epcm.isEpc(page) && epcm.isChild(page) ? epcm.link(page) : secs;
    execution.start = end - this.#times.cyclesOf(leaf, cpu);
    execution.end = end;
    execution.refusal = 0;
    execution.isReachable = null;
  }

  /** Does another waiting leaf work on one of the pages? */
  #isUsed({ page, owner, vaPage }: Execution): boolean {
    const uses = this.#uses;
    return (
      (page >= 0 && uses[page] !== 0) ||
      (owner >= 0 && uses[owner] !== 0) ||
      (vaPage >= 0 && uses[vaPage] !== 0)
    );
  }

  #count({ page, owner, vaPage }: Execution, change: number): void {
    const uses = this.#uses;
    if (page >= 0) (uses[page] as number) += change;
    if (owner >= 0) (uses[owner] as number) += change;
    if (vaPage >= 0) (uses[vaPage] as number) += change;
  }
}

function createExecution(): Execution {
  return {
    leaf: 0 as LeafId,
    page: NONE,
    secs: NONE,
    vaPage: NONE,
    owner: NONE,
    isExtended: false,
    start: 0,
    end: 0,
    refusal: 0,
    isReachable: null,
  };
}
