import type {
  BackingStore,
  LeafResult,
  PageIndex,
  PageLoader,
  Probe,
  Routine,
  SgxHardware,
  Thread,
  VersionSlots,
} from '@epckit/interface';
import { Cost, isExit, Leaf, leafFailed, servedByHost } from '@epckit/interface';
import { emptyBlob } from './empty-blob.js';
import { SLOTS_PER_PAGE } from './slot-bitmaps.js';

/** What a load uses. All of it but the hardware belongs to one owner instance. */
export interface LoadBackComponents {
  /** Executes ELDU. */
  readonly hardware: Pick<SgxHardware, 'leafAt' | 'eldu' | 'serve'>;
  /** Receives warnings; `null`: nobody listens. */
  readonly probe: Probe | null;
  /** Version slots of the owner. */
  readonly slots: VersionSlots;
  /** Backing store of the owner. */
  readonly backing: BackingStore;
  /** Is enclave page `index` resident and between reserve and write? Asked about siblings of a loaded page. */
  readonly isBeingWritten: (index: number) => boolean;
}

/**
 * Loads one evicted page back into the EPC with ELDU (Linux `sgx_encl_eldu`, 5.18 and later). A recipe.
 *
 * The target page was allocated by the owner before; on failure the owner removes and frees it. One instance
 * per owner instance, used under that owner's lock.
 */
export class LoadBack implements PageLoader {
  /** Executes ELDU. */
  protected readonly hardware: Pick<SgxHardware, 'leafAt' | 'eldu' | 'serve'>;
  /** Receives warnings. */
  protected readonly probe: Probe | null;
  /** Version slots of the owner. */
  protected readonly slots: VersionSlots;
  /** Backing store of the owner. */
  protected readonly backing: BackingStore;
  /** Is a page between reserve and write? */
  protected readonly isBeingWritten: (index: number) => boolean;
  /** What ELDU reads; scratch memory under the owner's lock. */
  protected readonly blob = emptyBlob();

  /** Takes the parts as they are; creates nothing but the blob. */
  constructor(components: LoadBackComponents) {
    this.hardware = components.hardware;
    this.probe = components.probe;
    this.slots = components.slots;
    this.backing = components.backing;
    this.isBeingWritten = components.isBeingWritten;
  }

  /**
   * Loads `index` of the backing store, whose version is in `slot`, into `target`. `secs` is `-1` when the
   * page is a SECS itself.
   *
   * @returns 0; `-ENOMEM` when the backing pages cannot be got, nothing has changed then; or the result of
   * ELDU, which the kernel turns into EFAULT
   */
  *load(thread: Thread, target: PageIndex, secs: PageIndex, index: number, slot: number): Routine<number> {
    const error = this.backing.fetch(index, this.blob);
    if (error !== 0) return error;
    thread.spend(Cost.BACKING_OLD);
    if (thread.spend(Cost.ELDU) > thread.limit) {
      yield this.hardware.leafAt(target, thread.cpu, Leaf.ELDU, secs, this.slots.pageOf(slot));
    }
    let result: LeafResult;
    do result = this.eldu(thread, target, secs, slot);
    while (isExit(result) && (yield* servedByHost(this.hardware, thread)));
    this.truncate(thread, index, result);
    if (result === 0) this.slots.releaseLoaded(slot);
    return result;
  }

  /** ELDU, with the warning that follows a failed one. */
  protected eldu(thread: Thread, target: PageIndex, secs: PageIndex, slot: number): LeafResult {
    const vaPage = this.slots.pageOf(slot);
    const result = this.hardware.eldu(thread.cpu, target, secs, vaPage, slot % SLOTS_PER_PAGE, this.blob);
    if (leafFailed(result)) this.probe?.warned(thread.id, '__sgx_encl_eldu');
    return result;
  }

  /** Drops the backing pages, also after a failed load: such a page is lost for ever (L-03). */
  protected truncate(thread: Thread, index: number, _result: LeafResult): void {
    this.backing.truncate(thread, index, this.isBeingWritten);
  }
}

/** The repair of L-03: a page that could not be loaded keeps its backing, so that a later try can succeed. */
export class LoadBackKeeping extends LoadBack {
  protected override truncate(thread: Thread, index: number, result: LeafResult): void {
    if (result === 0) super.truncate(thread, index, result);
  }
}

/** Makes the load of one owner instance, as in Linux 5.18 and later. */
export function createLoadBack(components: LoadBackComponents): LoadBack {
  return new LoadBack(components);
}
