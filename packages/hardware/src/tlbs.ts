import type { CpuId, PageIndex } from '@epckit/interface';

/** One translation: an EPC page and the rights that page table and EPCM both gave. */
export interface Translation {
  /** EPC page. */
  readonly page: PageIndex;
  /** R, W and X as in SECINFO. */
  readonly rights: number;
}

/** A page left the EPC while a processor could still reach it: the safety property that tracking is for. */
export interface StaleTranslation {
  /** Logical processor. */
  readonly cpu: CpuId;
  /** Page that left. */
  readonly page: PageIndex;
  /** What the processor holds: a translation, its TCS, or a page of its save state area. */
  readonly holds: 'translation' | 'TCS' | 'SSA';
}

/** Which TCS each processor is in through: a part of `Tracking`. */
interface Entered {
  activeTcs(cpu: CpuId): PageIndex;
}

/**
 * Translations of enclave pages per logical processor (SDM vol. 3D, 39.5.3; C&D 5.5): made by accesses, never checked
 * again, dropped at every entry and exit. Only the checking of I9 and access tests use them.
 */
export class Tlbs {
  readonly #tlbs: Map<number, Translation>[];
  readonly #saveAreas: readonly PageIndex[][];
  #stale: StaleTranslation[] = [];

  constructor(cpuCount: number) {
    this.#tlbs = Array.from({ length: cpuCount }, () => new Map());
    this.#saveAreas = Array.from({ length: cpuCount }, () => []);
  }

  /** Pages that left the EPC although a processor could reach them, oldest first. */
  get stale(): readonly StaleTranslation[] {
    return this.#stale;
  }

  /** Translation of a linear page, if the processor has it. */
  find(cpu: CpuId, linearPage: number): Translation | undefined {
    return this.#tlb(cpu).get(linearPage);
  }
  /** Keeps a translation. */
  fill(cpu: CpuId, linearPage: number, translation: Translation): void {
    this.#tlb(cpu).set(linearPage, translation);
  }
  /** An entry keeps the physical pages of its save state frame. */
  keepSaveArea(cpu: CpuId, page: PageIndex): void {
    (this.#saveAreas[cpu] as PageIndex[]).push(page);
  }
  /** EDECCSSA: the next exit writes to another frame. */
  dropSaveArea(cpu: CpuId): void {
    (this.#saveAreas[cpu] as PageIndex[]).length = 0;
  }
  /** Entry, exit: all translations of the processor go. */
  flush(cpu: CpuId): void {
    this.#tlb(cpu).clear();
    this.dropSaveArea(cpu);
  }
  /** Drops everything. */
  clear(): void {
    for (let cpu = 0; cpu < this.#tlbs.length; cpu++) this.flush(cpu);
    this.#stale = [];
  }

  /** A child page leaves the EPC: notes every processor that can still reach it. */
  leave(page: PageIndex, entered: Entered): void {
    for (const [cpu, tlb] of this.#tlbs.entries()) {
      if (entered.activeTcs(cpu) === page) this.#stale.push({ cpu, page, holds: 'TCS' });
      if (this.#saveAreas[cpu]?.includes(page)) this.#stale.push({ cpu, page, holds: 'SSA' });
      for (const translation of tlb.values()) {
        if (translation.page === page) this.#stale.push({ cpu, page, holds: 'translation' });
      }
    }
  }

  #tlb(cpu: CpuId): Map<number, Translation> {
    return this.#tlbs[cpu] as Map<number, Translation>;
  }
}
