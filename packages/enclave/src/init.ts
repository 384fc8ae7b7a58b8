import type { ErrnoResult, Routine, SigStruct, Thread } from '@epckit/interface';
import {
  Attribute,
  Cost,
  Errno,
  FAULT_FLAG,
  isExit,
  Leaf,
  leafFailed,
  SgxCode,
  servedByHost,
} from '@epckit/interface';
import type { EnclaveDriverComponents } from './components.js';
import type { Enclave } from './enclave.js';
import { EnclaveFlag } from './enclave.js';
import { exclusive } from './exclusive.js';

/** Rounds of EINIT with a sleep after each (Linux `SGX_EINIT_SLEEP_COUNT`). */
const EINIT_ROUNDS = 50;
/** Tries per round (Linux `SGX_EINIT_SPIN_COUNT`). */
const EINIT_TRIES = 20;

/** Vendors that SIGSTRUCT may name: none and Intel. */
const VENDORS: readonly number[] = [0, 0x8086];

/** What the processor supports: other bits of SIGSTRUCT that are demanded end in EINVAL. */
const SUPPORTED = {
  attributes: Attribute.DEBUG | Attribute.MODE64BIT | Attribute.PROVISIONKEY | Attribute.EINITTOKENKEY,
  miscSelect: 1,
  xfrm: 7n,
} as const;

/** What INIT takes: SIGSTRUCT and whether it can be read. */
export interface InitArgument extends SigStruct {
  /** The argument of the ioctl cannot be read. Default: false. */
  readonly isArgumentBad?: boolean;
  /** SIGSTRUCT cannot be read. Default: false. */
  readonly isSourceBad?: boolean;
  /** Vendor in its header. Default: 0. */
  readonly vendor?: number;
  /** Called at each sleep between two rounds of EINIT with their number: a signal may arrive here. */
  readonly onSleep?: (sleeps: number) => void;
}

/** ioctl INIT (Linux `sgx_ioc_enclave_init`). */
export class Init {
  /** Parts of the driver. */
  protected readonly components: EnclaveDriverComponents;

  constructor(components: EnclaveDriverComponents) {
    this.components = components;
  }

  /**
   * @returns 0, `-EBUSY` (another ioctl runs), `-EINVAL`, `-EFAULT`, `-ENOMEM`, `-EACCES` (forbidden attribute),
   * `-EIO` (fault), `-EPERM` (EINIT refused), `-ERESTARTSYS` (signal between two rounds)
   */
  run(thread: Thread, enclave: Enclave, argument: InitArgument): Routine<ErrnoResult> {
    return exclusive(thread, enclave, -Errno.EBUSY, this.execute(thread, enclave, argument));
  }

  /** INIT while no other ioctl runs. */
  protected *execute(thread: Thread, enclave: Enclave, argument: InitArgument): Routine<ErrnoResult> {
    if (thread.spend(Cost.STEP) > thread.limit) yield enclave.flags.reading;
    const all = enclave.flags.read(thread);
    if ((all & EnclaveFlag.NO_MEMORY) !== 0) return -Errno.ENOMEM;
    const flags = all & (EnclaveFlag.CREATED | EnclaveFlag.INITIALIZED);
    if (flags !== EnclaveFlag.CREATED) return -Errno.EINVAL;
    const refusal = this.refusal(enclave, argument);
    if (refusal !== 0) return refusal;
    while (enclave.lock.mustWait(thread)) yield enclave.lock.acquire;
    const result = enclave.isDying ? -Errno.ENOMEM : yield* this.einit(thread, enclave, argument);
    if (result === SgxCode.SUCCESS) {
      if (thread.spend(Cost.STEP) > thread.limit) yield enclave.flags.adding;
      enclave.flags.add(thread, EnclaveFlag.INITIALIZED);
    }
    enclave.lock.release(thread);
    if (result <= 0) return result;
    if ((result & FAULT_FLAG) !== 0 && leafFailed(result)) {
      this.components.probe?.warned(thread.id, 'sgx_encl_init');
    }
    return (result & FAULT_FLAG) !== 0 ? -Errno.EIO : -Errno.EPERM;
  }

  /** What is wrong before the first EINIT, in Linux's order. @returns 0 or a negated errno */
  protected refusal(enclave: Enclave, argument: InitArgument): ErrnoResult {
    if (argument.isArgumentBad === true) return -Errno.EFAULT;
    if (this.components.failures?.fails('kmalloc') === true) return -Errno.ENOMEM;
    if (argument.isSourceBad === true) return -Errno.EFAULT;
    if (!VENDORS.includes(argument.vendor ?? 0)) return -Errno.EINVAL;
    if ((enclave.attributes & ~enclave.allowedAttributes) !== 0) return -Errno.EACCES;
    return demandsReserved(argument) ? -Errno.EINVAL : 0;
  }

  /**
   * EINIT, again after an unmasked event.
   *
   * @returns result of the last one, or `-ERESTARTSYS`
   */
  protected *einit(thread: Thread, enclave: Enclave, argument: InitArgument): Routine<number> {
    const { hardware, launchControl = null } = this.components;
    const { signer } = argument;
    let result: number = SgxCode.UNMASKED_EVENT;
    for (let round = 1; round <= EINIT_ROUNDS; round++) {
      for (let tries = 0; tries < EINIT_TRIES && result === SgxCode.UNMASKED_EVENT; tries++) {
        if (thread.spend(Cost.EINIT) > thread.limit) {
          yield hardware.leafAt(enclave.secs, thread.cpu, Leaf.EINIT);
        }
        do {
          // Others may have written theirs since. Who leaves the signer out is taken for authorised.
          if (signer !== undefined) launchControl?.writeHash(thread.cpu, signer);
          result = hardware.einit(thread.cpu, enclave.secs, argument);
        } while (isExit(result) && (yield* servedByHost(hardware, thread)));
      }
      if (result !== SgxCode.UNMASKED_EVENT) break;
      argument.onSleep?.(round);
      if (thread.clock > thread.limit) yield thread.signalReading;
      if (thread.signalPending) return -Errno.ERESTARTSYS;
    }
    return result;
  }
}

/** Does SIGSTRUCT demand a bit that the processor does not support? */
function demandsReserved(argument: InitArgument): boolean {
  const { attributes = 0, attributeMask = 0, miscSelect = 0, miscMask = 0 } = argument;
  const { xfrm = 0n, xfrmMask = 0n } = argument;
  if ((attributes & attributeMask & ~SUPPORTED.attributes) !== 0) return true;
  if ((miscSelect & miscMask & ~SUPPORTED.miscSelect) !== 0) return true;
  return (xfrm & xfrmMask & ~SUPPORTED.xfrm) !== 0n;
}
