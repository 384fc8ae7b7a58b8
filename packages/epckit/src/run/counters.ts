import type {
  CpuId,
  FrameTable,
  LeafId,
  LeafResult,
  OwnerId,
  PageIndex,
  Probe,
  ThreadId,
} from '@epckit/interface';
import { Leaf, OwnerKind, SgxCode } from '@epckit/interface';
import type { RunCounts } from './scenario.js';

/** Counts that trace points give; the rest of {@link RunCounts} comes from the program itself. */
type Tally = { -readonly [Key in keyof RunCounts]: RunCounts[Key] } & {
  epcPages: number;
  peakEpcPages: number;
};

const fills: ReadonlySet<number> = new Set([Leaf.ECREATE, Leaf.EADD, Leaf.EAUG, Leaf.EPA, Leaf.ELDU]);

/** Counts of leaves by the field that they go to. */
const fieldOf: Readonly<Record<number, keyof RunCounts>> = {
  [Leaf.EADD]: 'eadd',
  [Leaf.EEXTEND]: 'eextend',
  [Leaf.ELDU]: 'eldu',
  [Leaf.EBLOCK]: 'eblock',
  [Leaf.ETRACK]: 'etrack',
  [Leaf.EREMOVE]: 'eremove',
  [Leaf.AEX]: 'aex',
  [Leaf.ERESUME]: 'eresume',
};

/** Zero of everything. */
function emptyTally(): Tally {
  return {
    accesses: 0,
    faults: 0,
    faultRetries: 0,
    eadd: 0,
    eextend: 0,
    eldu: 0,
    ewb: 0,
    ewbNotTracked: 0,
    eblock: 0,
    etrack: 0,
    eremove: 0,
    aex: 0,
    eresume: 0,
    epcPages: 0,
    peakEpcPages: 0,
  };
}

/** Listens to trace points and counts, in all and per enclave. */
export class RunCounters implements Probe {
  /** Set after the stack is composed. */
  frames: FrameTable | null = null;
  /** Over all enclaves; leaves on pages without an owner, such as sanitizing, are not counted. */
  readonly total = emptyTally();
  ksgxdWakeups = 0;
  ksgxdBatches = 0;
  directReclaims = 0;
  readonly #enclaves: Tally[] = [];

  /** Counts of an enclave. */
  of(owner: OwnerId): Tally {
    let tally = this.#enclaves[owner];
    if (tally === undefined) {
      tally = emptyTally();
      this.#enclaves[owner] = tally;
    }
    return tally;
  }

  leaf(_cpu: CpuId, leaf: LeafId, page: PageIndex, result: LeafResult): void {
    const frames = this.frames as FrameTable;
    if (frames.kind(page) !== OwnerKind.NATIVE) return;
    this.#count(this.total, leaf, result);
    this.#count(this.of(frames.owner(page)), leaf, result);
  }

  faultHandled(_thread: ThreadId, owner: OwnerId, _page: number, isMapped: boolean): void {
    const enclave = this.of(owner);
    this.total.faults++;
    enclave.faults++;
    if (isMapped) return;
    this.total.faultRetries++;
    enclave.faultRetries++;
  }

  daemonWoken(_thread: ThreadId, _daemon: ThreadId, wasAsleep: boolean): void {
    if (wasAsleep) this.ksgxdWakeups++;
  }

  batchEnded(_thread: ThreadId, _isolated: number, _evicted: number, direct: boolean): void {
    if (direct) this.directReclaims++;
    else this.ksgxdBatches++;
  }

  pageAllocated(): void {}
  pageFreed(): void {}
  reclaimVerdict(): void {}
  daemonRuns(): void {}
  pteZapped(): void {}
  aged(): void {}
  ipiSent(): void {}
  backingDropped(): void {}
  lockContended(): void {}
  warned(): void {}

  #count(tally: Tally, leaf: LeafId, result: LeafResult): void {
    if (leaf === Leaf.EWB) {
      if (result === SgxCode.SUCCESS) tally.ewb++;
      if (result === SgxCode.NOT_TRACKED) tally.ewbNotTracked++;
    } else {
      const field = fieldOf[leaf];
      if (field !== undefined) tally[field]++;
    }
    if (result !== SgxCode.SUCCESS) return;
    if (fills.has(leaf)) tally.peakEpcPages = Math.max(tally.peakEpcPages, ++tally.epcPages);
    if (leaf === Leaf.EWB || leaf === Leaf.EREMOVE) tally.epcPages--;
  }
}
