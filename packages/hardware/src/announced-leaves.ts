import type { CpuId, LeafId, LeafOverlaps, PageIndex } from '@epckit/interface';
import { acquireRows, releaseRows } from './acquire.js';
import type { Parts } from './parts.js';

interface Announcement {
  readonly leaf: LeafId;
  readonly page: PageIndex;
  readonly secs: PageIndex;
  readonly vaPage: PageIndex;
  /** Can it have begun? Null: nothing can take an operand away. */
  readonly isReachable: (() => boolean) | null;
}

/**
 * What each logical processor has announced by {@link SgxHardware.leafAt}. A thread that stops before its leaf may
 * have begun it already: others then meet what it holds.
 */
export class AnnouncedLeaves implements LeafOverlaps {
  readonly #parts: Parts;
  readonly #announced: (Announcement | null)[];

  constructor(parts: Parts, cpuCount: number) {
    this.#parts = parts;
    this.#announced = Array.from({ length: cpuCount }, () => null);
  }

  /** `cpu` is about to execute a leaf. */
  announce(cpu: CpuId, leaf: LeafId, page: PageIndex, secs: PageIndex, vaPage: PageIndex): void {
    this.#announced[cpu] = { leaf, page, secs, vaPage, isReachable: null };
  }
  /** The leaf that `cpu` has announced has not begun unless `isReachable`. */
  bound(cpu: CpuId, isReachable: () => boolean): void {
    const announced = this.#announced[cpu];
    if (announced != null) this.#announced[cpu] = { ...announced, isReachable };
  }
  /** `cpu` has executed a leaf, or one was refused. */
  ended(cpu: CpuId): void {
    this.#announced[cpu] = null;
  }

  refuses(running: CpuId, cpu: CpuId): boolean {
    if (!this.#canRun(running) || !this.#canRun(cpu)) return false;
    const isHeld = this.#acquire(running) === 0;
    const isRefused = isHeld && this.#acquire(cpu) !== 0;
    this.end(cpu);
    this.end(running);
    return isRefused;
  }
  begin(running: CpuId): void {
    this.#acquire(running);
  }
  end(running: CpuId): void {
    releaseRows(this.#parts, running);
  }

  /** Has the processor announced a leaf that it can execute? */
  #canRun(cpu: CpuId): boolean {
    const announced = this.#announced[cpu];
    return announced != null && announced.isReachable?.() !== false;
  }

  #acquire(cpu: CpuId): number {
    const announced = this.#announced[cpu];
    if (announced == null) return 0;
    const { leaf, page, secs, vaPage } = announced;
    return acquireRows(this.#parts, cpu, leaf, page, secs, vaPage);
  }
}
