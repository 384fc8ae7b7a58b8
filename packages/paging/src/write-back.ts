import type {
  BackingStore,
  CostKey,
  CpuSet,
  IpiSender,
  LeafResult,
  Op,
  PageIndex,
  PageWriter,
  Probe,
  Routine,
  SgxHardware,
  Thread,
  TrackedOwner,
  Tracker,
  VersionSlots,
} from '@epckit/interface';
import { Cost, isExit, Leaf, leafFailed, NONE, SgxCode, servedByHost } from '@epckit/interface';
import { emptyBlob } from './empty-blob.js';
import { SLOTS_PER_PAGE } from './slot-bitmaps.js';

/** What a write-back uses. All of it but hardware, tracker and IPIs belongs to one owner instance. */
export interface WriteBackComponents {
  /** Executes EWB. */
  readonly hardware: Pick<SgxHardware, 'leafAt' | 'ewb' | 'isUntracked' | 'serve'>;
  /** Starts a tracking cycle. */
  readonly tracker: Tracker;
  /** Throws threads out of their enclaves. */
  readonly ipi: IpiSender;
  /** Receives warnings; `null`: nobody listens. */
  readonly probe: Probe | null;
  /** Version slots of the owner. */
  readonly slots: VersionSlots;
  /** Backing store of the owner. */
  readonly backing: BackingStore;
  /** Scratch set for the CPUs to interrupt (Linux `encl->cpumask`). */
  readonly cpus: CpuSet;
}

/**
 * Writes one blocked page out of the EPC: EWB, after NOT_TRACKED a tracking cycle and EWB, after another one
 * interrupts and EWB (SDM vol. 3D, 38.4; Linux `sgx_encl_ewb`). A recipe: each step is a method of its own.
 *
 * One instance per owner instance, used under that owner's lock: CPU set and blob are its scratch memory.
 */
export class WriteBack implements PageWriter {
  /** Executes EWB. */
  protected readonly hardware: Pick<SgxHardware, 'leafAt' | 'ewb' | 'isUntracked' | 'serve'>;
  /** Starts a tracking cycle. */
  protected readonly tracker: Tracker;
  /** Sends the interrupts. */
  protected readonly ipi: IpiSender;
  /** Receives warnings. */
  protected readonly probe: Probe | null;
  /** Version slots of the owner. */
  protected readonly slots: VersionSlots;
  /** Backing store of the owner. */
  protected readonly backing: BackingStore;
  /** CPUs to interrupt; scratch memory. */
  protected readonly cpus: CpuSet;
  /** What EWB writes outside the EPC; stored before the thread can stop again. */
  protected readonly blob = emptyBlob();
  /** What the last EWB has cost; scratch memory. */
  protected paid: CostKey = Cost.EWB;

  /** Takes the parts as they are; creates nothing but the blob. */
  constructor(components: WriteBackComponents) {
    this.hardware = components.hardware;
    this.tracker = components.tracker;
    this.ipi = components.ipi;
    this.probe = components.probe;
    this.slots = components.slots;
    this.backing = components.backing;
    this.cpus = components.cpus;
  }

  /**
   * Writes `page` to `index` of the backing store, which was reserved before. A SECS needs neither EBLOCK nor
   * tracking and goes the same way.
   *
   * @returns slot of the page's version, or the negated result of the last EWB: the page is still in the EPC
   */
  *write(thread: Thread, owner: TrackedOwner, page: PageIndex, index: number): Routine<number> {
    const slot = this.slots.take();
    if (this.pay(thread, page, false) > thread.limit) yield this.ewbAt(thread, page, slot);
    let result: LeafResult;
    do result = this.ewb(thread, page, slot);
    while (isExit(result) && (yield* servedByHost(this.hardware, thread)));
    if (result === SgxCode.NOT_TRACKED) result = yield* this.retry(thread, owner, page, slot);
    if (result !== 0) return this.fail(thread, slot, result);
    // Who was inside has left since the price was fixed.
    if (this.paid === Cost.EWB_REFUSED) thread.spend(Cost.EWB);
    return this.succeed(index, slot);
  }

  /** Second and third stage: about once per batch and owner, because a whole batch is blocked before. */
  protected *retry(thread: Thread, owner: TrackedOwner, page: PageIndex, slot: number): Routine<LeafResult> {
    const tracked = yield* this.track(thread, owner);
    this.checkTracking(thread, tracked);
    if (this.pay(thread, page, tracked === SgxCode.SUCCESS) > thread.limit)
      yield this.ewbAt(thread, page, slot);
    let result: LeafResult;
    do result = this.ewb(thread, page, slot);
    while (isExit(result) && (yield* servedByHost(this.hardware, thread)));
    if (result !== SgxCode.NOT_TRACKED) return result;
    yield* this.collect(thread, owner);
    yield* this.interrupt(thread);
    if (this.pay(thread, page, false) > thread.limit) yield this.ewbAt(thread, page, slot);
    do result = this.ewb(thread, page, slot);
    while (isExit(result) && (yield* servedByHost(this.hardware, thread)));
    return result;
  }

  /**
   * Pays for the next EWB, before it is known whether it will be refused: for a refusal if it would be now.
   *
   * @param isCycleBegun ETRACK has succeeded directly before; else only a missing one is looked for
   * @returns time
   */
  protected pay(thread: Thread, page: PageIndex, isCycleBegun: boolean): number {
    const isUntracked = this.hardware.isUntracked?.(page, isCycleBegun) ?? false;
    this.paid = isUntracked ? Cost.EWB_REFUSED : Cost.EWB;
    return thread.spend(this.paid);
  }

  /** Op to yield before {@link ewb}. */
  protected ewbAt(thread: Thread, page: PageIndex, slot: number): Op {
    return this.hardware.leafAt(page, thread.cpu, Leaf.EWB, NONE, this.slots.pageOf(slot));
  }

  /** One EWB. */
  protected ewb(thread: Thread, page: PageIndex, slot: number): LeafResult {
    return this.hardware.ewb(thread.cpu, page, this.slots.pageOf(slot), slot % SLOTS_PER_PAGE, this.blob);
  }

  /** Starts a tracking cycle. */
  protected track(thread: Thread, owner: TrackedOwner): Routine<LeafResult> {
    return this.tracker.track(thread, owner.secs);
  }

  /** A cycle that could not be started is reported and otherwise ignored. */
  protected checkTracking(thread: Thread, result: LeafResult): void {
    if (leafFailed(result)) this.probe?.warned(thread.id, 'sgx_encl_ewb');
  }

  /** Notes which CPUs may be inside; only after the cycle began is every later entry a new one (O-01). */
  protected collect(thread: Thread, owner: TrackedOwner): Routine<void> {
    this.cpus.clear();
    return owner.collectCpus(thread, this.cpus);
  }

  /** Throws out whoever is inside. */
  protected interrupt(thread: Thread): Routine<number> {
    return this.ipi.send(thread, this.cpus);
  }

  /** The page is out: its contents go to the backing store. */
  protected succeed(index: number, slot: number): number {
    this.backing.store(index, this.blob);
    return slot;
  }

  /** The page stays: its slot is free again, the order of the version array pages does not change. */
  protected fail(thread: Thread, slot: number, result: LeafResult): number {
    if (leafFailed(result)) this.probe?.warned(thread.id, 'sgx_encl_ewb');
    this.slots.release(slot);
    return -result;
  }
}

/** Makes the write-back of one owner instance, as in Linux 5.11 and later. */
export function createWriteBack(components: WriteBackComponents): WriteBack {
  return new WriteBack(components);
}
