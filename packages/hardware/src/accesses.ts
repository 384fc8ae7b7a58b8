import type { AccessMonitor, ObjectRegistry, PageIndex } from '@epckit/interface';
import { Mode } from '@epckit/interface';

type AtomicMode = Parameters<AccessMonitor['atomic']>[1];

/**
 * Tells the checking mode which shared objects a leaf touches. Four objects stand for each EPC page: its EPCM
 * entry (`epcm`), and for what the page may be, tracking counters (`tracking`) and child count (`children`) of
 * a SECS and the slots of a VA page (`slots`).
 *
 * The package-wide version and EID counters are left out: their values only name things.
 */
export class Accesses {
  /** Object of page 0's EPCM entry. */
  readonly entryBase: number;
  readonly #trackingBase: number;
  readonly #childrenBase: number;
  readonly #slotsBase: number;
  readonly #pageCount: number;
  readonly #monitor: AccessMonitor | null;
  readonly #beforeTracking: ((secs: PageIndex) => void) | null;

  /** @param beforeTracking called before a leaf reads the tracking counters of a SECS */
  constructor(
    pageCount: number,
    objects: ObjectRegistry,
    monitor: AccessMonitor | null,
    beforeTracking: ((secs: PageIndex) => void) | null = null,
  ) {
    this.#beforeTracking = beforeTracking;
    this.entryBase = objects.range('epcm', pageCount);
    this.#trackingBase = objects.range('tracking', pageCount);
    this.#childrenBase = objects.range('children', pageCount);
    this.#slotsBase = objects.range('slots', pageCount);
    this.#pageCount = pageCount;
    this.#monitor = monitor;
  }

  /** EPCM entry and, for SECS and TCS, the page's fields. */
  entry(page: PageIndex, mode: AtomicMode): void {
    if (this.#monitor !== null) this.#monitor.atomic(this.entryBase + page, mode);
  }
  /** The tracking counters of a SECS are about to be read, by a leaf or by who wants to know its cost. */
  catchUp(secs: PageIndex): void {
    if (this.#beforeTracking !== null) this.#beforeTracking(secs);
  }
  /** Epoch and counts of a SECS. A leaf that reads them calls this before. */
  tracking(secs: PageIndex, mode: AtomicMode): void {
    if (mode === Mode.READ) this.catchUp(secs);
    if (this.#monitor !== null) this.#monitor.atomic(this.#trackingBase + secs, mode);
  }
  /** Child count of a SECS. */
  children(secs: PageIndex, mode: AtomicMode): void {
    if (this.#monitor !== null) this.#monitor.atomic(this.#childrenBase + secs, mode);
  }
  /** Slots of a VA page. */
  slots(vaPage: PageIndex, mode: AtomicMode): void {
    if (this.#monitor !== null) this.#monitor.atomic(this.#slotsBase + vaPage, mode);
  }
  /** All objects of all pages. */
  everything(mode: AtomicMode): void {
    if (this.#monitor === null) return;
    for (let page = 0; page < this.#pageCount; page++) {
      this.entry(page, mode);
      this.tracking(page, mode);
      this.children(page, mode);
      this.slots(page, mode);
    }
  }
}
