import type { ErrnoResult, LeafResult, PageTypeId, Routine, Thread } from '@epckit/interface';
import {
  Cost,
  Errno,
  FAULT_FLAG,
  isExit,
  Leaf,
  PageType,
  Prot,
  SecInfo,
  SgxCode,
  servedByHost,
} from '@epckit/interface';
import type { DynamicArgument } from './dynamic-ioctl.js';
import { DynamicIoctl } from './dynamic-ioctl.js';
import type { Enclave } from './enclave.js';
import type { TrackingCycle } from './tracking-cycle.js';

/** What MODIFY_TYPES takes. */
export interface ModifyTypesArgument extends DynamicArgument {
  /** New type; only TCS and TRIM can be asked for. */
  readonly type: number;
}

const RW = Prot.R | Prot.W;

/**
 * ioctl MODIFY_TYPES (Linux `sgx_ioc_enclave_modify_types`): REG pages become TCS, REG and TCS pages are
 * trimmed. The enclave has to accept.
 */
export class ModifyTypes extends DynamicIoctl<ModifyTypesArgument> {
  protected isLegal({ type }: ModifyTypesArgument): boolean {
    return type === PageType.TCS || type === PageType.TRIM;
  }

  protected *change(
    thread: Thread,
    enclave: Enclave,
    index: number,
    argument: ModifyTypesArgument,
    tracking: TrackingCycle,
  ): Routine<number> {
    const { records } = enclave;
    const type = argument.type as PageTypeId;
    const before = records.type(index);
    const isTrim = type === PageType.TRIM;
    if (before !== PageType.REG && !(before === PageType.TCS && isTrim)) return -Errno.EINVAL;
    const ceiling = records.ceiling(index);
    if (!isTrim) {
      if ((ceiling & RW) !== RW) return -Errno.EPERM;
      records.setCeiling(index, RW);
    }
    const result = yield* this.retype(thread, enclave, index, type);
    if (result !== 0) {
      records.setCeiling(index, ceiling);
      return result;
    }
    return yield* this.finish(thread, enclave, index, type, tracking);
  }

  /**
   * EMODT was executed: the page has its new type, whatever the records say. Linux notes it after the tracking cycle
   * and not at all if that is refused (L-15).
   *
   * @returns 0 or `-EFAULT`
   */
  protected *finish(
    thread: Thread,
    enclave: Enclave,
    index: number,
    type: PageTypeId,
    tracking: TrackingCycle,
  ): Routine<ErrnoResult> {
    if (!(yield* tracking.run(thread, enclave))) return -Errno.EFAULT;
    enclave.records.setType(index, type);
    return 0;
  }

  /** EMODT, after the page was unmapped if it is to become a TCS. @returns as {@link change} */
  protected *retype(thread: Thread, enclave: Enclave, index: number, type: PageTypeId): Routine<number> {
    const { hardware } = this.components;
    if (type === PageType.TCS) {
      const held = yield* this.unmap(thread, enclave, index);
      if (held !== 0) return held;
    }
    const page = enclave.records.epc(index);
    if (thread.spend(Cost.EMODT) > thread.limit) yield hardware.leafAt(page, thread.cpu, Leaf.EMODT);
    let result: LeafResult;
    do result = hardware.emodt(thread.cpu, page, type << SecInfo.TYPE_SHIFT);
    while (isExit(result) && (yield* servedByHost(hardware, thread)));
    if ((result & FAULT_FLAG) !== 0) return -Errno.EFAULT;
    return result === SgxCode.SUCCESS ? 0 : result;
  }

  /**
   * Removes the page from every address space. While the lock is dropped no reclaimer may have the page.
   *
   * @returns 0, or `-EAGAIN`: a reclaimer has it already
   */
  protected *unmap(thread: Thread, enclave: Enclave, index: number): Routine<ErrnoResult> {
    const { lists } = this.components;
    const page = enclave.records.epc(index);
    if ((yield* lists.unmark(thread, page)) !== 0) return -Errno.EAGAIN;
    yield* this.zap(thread, enclave, index);
    yield* lists.mark(thread, page);
    return 0;
  }
}

/** The repair of B-44: while the lock is dropped for the zap, faults on the page wait. */
export class HoldingModifyTypes extends ModifyTypes {
  protected override *zap(thread: Thread, enclave: Enclave, index: number): Routine<void> {
    enclave.records.setHeld(index, true);
    yield* super.zap(thread, enclave, index);
    enclave.records.setHeld(index, false);
  }
}

/**
 * The repair of L-15, besides that of B-44: the records follow EMODT at once. If the tracking cycle is refused the
 * caller still gets `-EFAULT`, and the enclave can accept the page after any later cycle.
 */
export class FinishingModifyTypes extends HoldingModifyTypes {
  protected override finish(
    thread: Thread,
    enclave: Enclave,
    index: number,
    type: PageTypeId,
    tracking: TrackingCycle,
  ): Routine<ErrnoResult> {
    enclave.records.setType(index, type);
    return super.finish(thread, enclave, index, type, tracking);
  }
}
