import type { LeafResult, Routine, Thread } from '@epckit/interface';
import { Cost, Errno, isExit, Leaf, LeafFault, NONE, PageType, Prot, servedByHost } from '@epckit/interface';
import type { DynamicArgument } from './dynamic-ioctl.js';
import { DynamicIoctl } from './dynamic-ioctl.js';
import type { Enclave } from './enclave.js';

/**
 * ioctl REMOVE_PAGES (Linux `sgx_ioc_enclave_remove_pages`): gives trimmed pages back that the enclave has
 * accepted. Version array pages stay, however few pages are left.
 */
export class RemovePages extends DynamicIoctl<DynamicArgument> {
  protected isLegal(): boolean {
    return true;
  }

  protected *change(thread: Thread, enclave: Enclave, index: number): Routine<number> {
    if (enclave.records.type(index) !== PageType.TRIM) return -Errno.EPERM;
    const page = enclave.records.epc(index);
    if (!(yield* this.isAccepted(thread, page))) return -Errno.EPERM;
    if ((yield* this.components.lists.unmark(thread, page)) !== 0) return -Errno.EBUSY;
    yield* this.zap(thread, enclave, index);
    yield* this.forget(thread, enclave, index, page);
    return 0;
  }

  /**
   * Has the enclave accepted the trim? EMODPR that takes nothing away changes nothing and tells: it faults on an
   * accepted page and refuses one that waits.
   */
  protected *isAccepted(thread: Thread, page: number): Routine<boolean> {
    const { hardware } = this.components;
    if (thread.spend(Cost.EMODPR) > thread.limit) {
      yield hardware.leafAt(page, thread.cpu, Leaf.EMODPR);
    }
    let result: LeafResult;
    do result = hardware.emodpr(thread.cpu, page, Prot.R | Prot.W | Prot.X);
    while (isExit(result) && (yield* servedByHost(hardware, thread)));
    return result === LeafFault.PF;
  }

  /** EREMOVE, and the record goes. */
  protected *forget(thread: Thread, enclave: Enclave, index: number, page: number): Routine<void> {
    yield* this.pages.free(thread, page);
    enclave.addChildren(-1);
    enclave.records.erase(index);
    yield* this.pages.shrink(thread, enclave, NONE);
    if (enclave.children === 0) yield* this.pages.idleSecs(thread, enclave);
  }
}

/** The repair of B-43: while the lock is dropped for the zap, faults on the page wait. */
export class HoldingRemovePages extends RemovePages {
  protected override *zap(thread: Thread, enclave: Enclave, index: number): Routine<void> {
    enclave.records.setHeld(index, true);
    yield* super.zap(thread, enclave, index);
    enclave.records.setHeld(index, false);
  }
}
