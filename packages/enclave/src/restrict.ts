import type { LeafResult, Routine, Thread } from '@epckit/interface';
import {
  Cost,
  Errno,
  FAULT_FLAG,
  isExit,
  Leaf,
  PageType,
  Prot,
  SgxCode,
  servedByHost,
} from '@epckit/interface';
import type { DynamicArgument } from './dynamic-ioctl.js';
import { DynamicIoctl } from './dynamic-ioctl.js';
import type { Enclave } from './enclave.js';
import type { TrackingCycle } from './tracking-cycle.js';

/** What RESTRICT_PERMISSIONS takes. */
export interface RestrictArgument extends DynamicArgument {
  /** Permissions that stay, bits of `Prot`: every other one is taken away. W needs R. */
  readonly permissions: number;
}

const PERMISSIONS = Prot.R | Prot.W | Prot.X;

/**
 * ioctl RESTRICT_PERMISSIONS (Linux `sgx_ioc_enclave_restrict_permissions`): takes permissions of REG pages
 * away, which the enclave has to accept. Page tables and ceilings stay as they are: the hardware refuses from
 * now on.
 */
export class RestrictPermissions extends DynamicIoctl<RestrictArgument> {
  /** No bit but R, W, X, and not W without R. */
  protected isLegal({ permissions }: RestrictArgument): boolean {
    if (permissions > PERMISSIONS) return false;
    return (permissions & Prot.W) === 0 || (permissions & Prot.R) !== 0;
  }

  protected *change(
    thread: Thread,
    enclave: Enclave,
    index: number,
    argument: RestrictArgument,
    tracking: TrackingCycle,
  ): Routine<number> {
    const { hardware } = this.components;
    if (enclave.records.type(index) !== PageType.REG) return -Errno.EINVAL;
    const page = enclave.records.epc(index);
    if (thread.spend(Cost.EMODPR) > thread.limit) {
      yield hardware.leafAt(page, thread.cpu, Leaf.EMODPR);
    }
    let result: LeafResult;
    do result = hardware.emodpr(thread.cpu, page, argument.permissions);
    while (isExit(result) && (yield* servedByHost(hardware, thread)));
    if ((result & FAULT_FLAG) !== 0) return -Errno.EFAULT;
    if (result !== SgxCode.SUCCESS) return result;
    return (yield* tracking.run(thread, enclave)) ? 0 : -Errno.EFAULT;
  }
}
