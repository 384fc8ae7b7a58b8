import type { CpuId, GroupId, NodeId, OwnerId, OwnerKindId, PageIndex, ThreadId } from './ids.js';
import type { LeafId } from './leaf.js';
import type { Op } from './routine.js';
import type { LeafResult } from './sgx-code.js';

/** What became of an isolated page. */
export const Verdict = {
  /** it left the EPC */
  EVICTED: 0,
  /** accessed since it was last looked at: back onto the list */
  YOUNG: 1,
  /** its owner could not let it go now: back onto the list */
  BUSY: 2,
  /** its owner is being torn down: off the books */
  GONE: 3,
  /** its owner could not write it: off the books, still in the EPC */
  KEPT: 4,
} as const;
/** Value of {@link Verdict}. */
export type VerdictId = (typeof Verdict)[keyof typeof Verdict];

/**
 * Typed trace points. Packages call them with numbers only, at the moment the event happens, with the
 * software tables as they are then; a listener must not change anything. No listener: `null`, and no cost.
 */
export interface Probe {
  /** A leaf ended, or an asynchronous exit happened. `page`: main operand, the SECS for entries and exits. */
  leaf(cpu: CpuId, leaf: LeafId, page: PageIndex, result: LeafResult, vaPage: PageIndex, slot: number): void;
  /** A page left the free list of `node`. Its owner is set afterwards: the frame table does not name it yet. */
  pageAllocated(thread: ThreadId, page: PageIndex, node: NodeId): void;
  /** A page became visible on a free or poison list. */
  pageFreed(thread: ThreadId, page: PageIndex, node: NodeId): void;
  /** An isolated page's verdict. */
  reclaimVerdict(thread: ThreadId, page: PageIndex, verdict: VerdictId): void;
  /** A batch of the reclaimer ended; `direct`: in the context of an allocation. */
  batchEnded(thread: ThreadId, isolated: number, evicted: number, direct: boolean): void;
  /** The daemon was told to wake up. `wasAsleep`: it was not running already. */
  daemonWoken(thread: ThreadId, daemon: ThreadId, wasAsleep: boolean): void;
  /** The daemon began (`true`) to work or went back to sleep. */
  daemonRuns(daemon: ThreadId, running: boolean): void;
  /** A page fault was handled; `isMapped`: the page is there now, else the access will fault again. */
  faultHandled(thread: ThreadId, owner: OwnerId, enclavePage: number, isMapped: boolean): void;
  /** A page-table entry was removed. */
  pteZapped(thread: ThreadId, owner: OwnerId, enclavePage: number, mm: number): void;
  /** An accessed bit was looked at and cleared. */
  aged(thread: ThreadId, owner: OwnerId, enclavePage: number, young: boolean): void;
  /** An IPI round was sent to `targets`; CPUs that leave an enclave appear as AEX. */
  ipiSent(thread: ThreadId, targets: readonly CpuId[]): void;
  /** A page of a backing file was dropped. `wasPresent`: it existed. */
  backingDropped(thread: ThreadId, owner: OwnerId, filePage: number, wasPresent: boolean): void;
  /**
   * A thread had to wait for a lock. Timed world: it has got it now, after `cycles` of waiting. Elsewhere it begins
   * to wait, and `cycles` is 0.
   *
   * @experimental
   */
  lockContended(thread: ThreadId, lock: Op, cycles: number): void;
  /** A page was charged to a group: it is allocated and has its owner. */
  charged?(thread: ThreadId, page: PageIndex, group: GroupId): void;
  /** The charge of a page was given back; it becomes free next. */
  uncharged?(thread: ThreadId, page: PageIndex, group: GroupId): void;
  /** A charge failed. `refusedBy`: ancestor of `group` whose limit refused it; `-1`: the capacity of the machine. */
  chargeRefused?(thread: ThreadId, group: GroupId, refusedBy: GroupId): void;
  /** A batch over the subtree of `target` ended; reported for targets other than everything. */
  groupReclaimed?(thread: ThreadId, target: GroupId, lookedAt: number, evicted: number): void;
  /** An owner instance was chosen to die because `group` ran out of EPC, and is marked now. */
  victimKilled?(thread: ThreadId, kind: OwnerKindId, owner: OwnerId, group: GroupId): void;
  /** A kernel warning: behaviour that Linux reports once with a stack trace. */
  warned(thread: ThreadId, where: string): void;
}
