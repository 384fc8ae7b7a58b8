import type { ErrnoResult, Routine, Thread } from '@epckit/interface';
import { Attribute, Cost, Errno } from '@epckit/interface';
import type { Enclave } from './enclave.js';
import { exclusive } from './exclusive.js';

/** What PROVISION takes. */
export interface ProvisionArgument {
  /** Is the descriptor one of `/dev/sgx_provision`? */
  readonly isProvisionFile: boolean;
  /** The argument of the ioctl cannot be read. Default: false. */
  readonly isArgumentBad?: boolean;
}

/**
 * ioctl PROVISION (Linux `sgx_ioc_enclave_provision`): the enclave may have the provisioning key. Before CREATE
 * it has no lasting effect, because CREATE assigns what is allowed (L-10).
 */
export class Provision {
  /** @returns 0, `-EBUSY` (another ioctl runs), `-EFAULT`, `-EINVAL` (no provisioning file) */
  run(thread: Thread, enclave: Enclave, argument: ProvisionArgument): Routine<ErrnoResult> {
    return exclusive(thread, enclave, -Errno.EBUSY, this.execute(thread, enclave, argument));
  }

  /** PROVISION while no other ioctl runs. */
  protected *execute(thread: Thread, enclave: Enclave, argument: ProvisionArgument): Routine<ErrnoResult> {
    thread.spend(Cost.STEP);
    if (argument.isArgumentBad === true) return -Errno.EFAULT;
    if (!argument.isProvisionFile) return -Errno.EINVAL;
    enclave.allowedAttributes |= Attribute.PROVISIONKEY;
    return 0;
  }
}
