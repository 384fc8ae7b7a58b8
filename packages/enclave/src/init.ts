import type { ErrnoResult, Routine, SigStruct, Thread } from '@epckit/interface';
import { Attribute, Cost, Errno, FAULT_FLAG, SgxCode } from '@epckit/interface';
import type { EnclaveDriverComponents } from './components.js';
import type { Enclave } from './enclave.js';
import { EnclaveFlag } from './enclave.js';
import { exclusive } from './exclusive.js';

/** Rounds of EINIT with a sleep between them, and tries per round (Linux `SGX_EINIT_SLEEP_COUNT`, `…_SPIN_COUNT`). */
const EINIT_TRIES = 50 * 20;

/** What every enclave may have (Linux `SGX_ATTR_UNPRIV_MASK`); keys need PROVISION. */
const ALLOWED_ATTRIBUTES = Attribute.DEBUG | Attribute.MODE64BIT;

/** ioctl INIT (Linux `sgx_ioc_enclave_init`). */
export class Init {
  /** Parts of the driver. */
  protected readonly components: EnclaveDriverComponents;

  constructor(components: EnclaveDriverComponents) {
    this.components = components;
  }

  /** @returns 0, `-EBUSY` (another ioctl runs), `-EINVAL`, `-EACCES` (forbidden attribute), `-EIO` (fault), `-EPERM` (EINIT refused) */
  run(thread: Thread, enclave: Enclave, signature: SigStruct): Routine<ErrnoResult> {
    return exclusive(thread, enclave, -Errno.EBUSY, this.execute(thread, enclave, signature));
  }

  /** INIT while no other ioctl runs. */
  protected *execute(thread: Thread, enclave: Enclave, signature: SigStruct): Routine<ErrnoResult> {
    if (thread.spend(Cost.STEP) > thread.limit) yield enclave.flags.reading;
    const flags = enclave.flags.read(thread) & (EnclaveFlag.CREATED | EnclaveFlag.INITIALIZED);
    if (flags !== EnclaveFlag.CREATED) return -Errno.EINVAL;
    if ((enclave.attributes & ~ALLOWED_ATTRIBUTES) !== 0) return -Errno.EACCES;
    while (enclave.lock.mustWait(thread)) yield enclave.lock.acquire;
    const result = yield* this.einit(thread, enclave, signature);
    if (result === SgxCode.SUCCESS) {
      if (thread.spend(Cost.STEP) > thread.limit) yield enclave.flags.adding;
      enclave.flags.add(thread, EnclaveFlag.INITIALIZED);
    }
    enclave.lock.release(thread);
    if (result === SgxCode.SUCCESS) return 0;
    return (result & FAULT_FLAG) !== 0 ? -Errno.EIO : -Errno.EPERM;
  }

  /** EINIT, again after an unmasked event. */
  protected *einit(thread: Thread, enclave: Enclave, signature: SigStruct): Routine<number> {
    const { hardware } = this.components;
    let result: number = SgxCode.UNMASKED_EVENT;
    for (let tries = 0; tries < EINIT_TRIES && result === SgxCode.UNMASKED_EVENT; tries++) {
      if (thread.spend(Cost.EINIT) > thread.limit) yield hardware.leafAt(enclave.secs);
      result = hardware.einit(thread.cpu, enclave.secs, signature);
    }
    return result;
  }
}
