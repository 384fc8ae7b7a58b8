import type { ErrnoResult, PageTypeId, Routine, Thread } from '@epckit/interface';
import { Cost, Errno, FAULT_FLAG, Leaf, PageType, Prot, SecInfo, SgxCode } from '@epckit/interface';
import type { DynamicArgument } from './dynamic-ioctl.js';
import { DynamicIoctl } from './dynamic-ioctl.js';
import type { Enclave } from './enclave.js';
import type { TrackingCycle } from './tracking-cycle.js';
import { zapEverywhere } from './zap.js';

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
    // From here on the page has its new type, whatever the records say (L-15).
    if (!(yield* tracking.run(thread, enclave))) return -Errno.EFAULT;
    records.setType(index, type);
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
    const result = hardware.emodt(thread.cpu, page, type << SecInfo.TYPE_SHIFT);
    if ((result & FAULT_FLAG) !== 0) return -Errno.EFAULT;
    return result === SgxCode.SUCCESS ? 0 : result;
  }

  /**
   * Removes the page from every address space. The enclave's lock is dropped for that, because mmap locks come
   * before it; meanwhile no reclaimer may have the page.
   *
   * @returns 0, or `-EAGAIN`: a reclaimer has it already
   */
  protected *unmap(thread: Thread, enclave: Enclave, index: number): Routine<ErrnoResult> {
    const { lists } = this.components;
    const page = enclave.records.epc(index);
    if ((yield* lists.unmark(thread, page)) !== 0) return -Errno.EAGAIN;
    enclave.lock.release(thread);
    yield* zapEverywhere(thread, enclave, index);
    while (enclave.lock.mustWait(thread)) yield enclave.lock.acquire;
    yield* lists.mark(thread, page);
    return 0;
  }
}
