import type { ErrnoResult, LeafResult, Routine, Thread } from '@epckit/interface';
import { Attribute, Cost, Errno, isExit, Leaf, NONE, servedByHost } from '@epckit/interface';
import type { EnclaveDriverComponents } from './components.js';
import type { Enclave } from './enclave.js';
import { EnclaveFlag } from './enclave.js';
import { exclusive } from './exclusive.js';
import type { EnclavePages } from './pages.js';
import { SECS_RECORD } from './record-id.js';

/** What every enclave may have (Linux `SGX_ATTR_UNPRIV_MASK`); keys need PROVISION. */
const UNPRIVILEGED = Attribute.DEBUG | Attribute.MODE64BIT | Attribute.KSS | Attribute.AEXNOTIFY;

/** What CREATE takes from the source SECS, and whether it can be read. */
export interface CreateArgument {
  /** Size in pages: a power of two; ECREATE wants at least 2. */
  readonly pageCount: number;
  /** First page of the range, a multiple of {@link pageCount}. */
  readonly basePage: number;
  /** Bits of `Attribute`. */
  readonly attributes: number;
  /** The argument of the ioctl cannot be read. Default: false. */
  readonly isArgumentBad?: boolean;
  /** The source SECS cannot be read. Default: false. */
  readonly isSourceBad?: boolean;
}

/** ioctl CREATE (Linux `sgx_ioc_enclave_create`). */
export class Create {
  /** What the driver is made of. */
  protected readonly components: EnclaveDriverComponents;
  /** Gets and gives back EPC pages. */
  protected readonly pages: EnclavePages;

  constructor(components: EnclaveDriverComponents, pages: EnclavePages) {
    this.components = components;
    this.pages = pages;
  }

  /** @returns 0, `-EBUSY` (another ioctl runs), `-EINVAL`, `-ENOMEM`, `-ERESTARTSYS`, `-EFAULT`, `-EIO` */
  run(thread: Thread, enclave: Enclave, argument: CreateArgument): Routine<ErrnoResult> {
    return exclusive(thread, enclave, -Errno.EBUSY, this.execute(thread, enclave, argument));
  }

  /** CREATE while no other ioctl runs. */
  protected *execute(thread: Thread, enclave: Enclave, argument: CreateArgument): Routine<ErrnoResult> {
    if (thread.spend(Cost.STEP) > thread.limit) yield enclave.flags.reading;
    if ((enclave.flags.read(thread) & EnclaveFlag.CREATED) !== 0) return -Errno.EINVAL;
    const refusal = this.refusal(argument);
    if (refusal !== 0) return refusal;
    const versionArray = yield* this.pages.grow(thread, enclave, true);
    if (versionArray < NONE) return versionArray;
    if (this.components.failures?.fails('shmem_file') === true) {
      return yield* this.undo(thread, enclave, versionArray, -Errno.ENOMEM);
    }
    // ECREATE refuses less than two pages; the file exists until then.
    const filePages = Math.max(1, argument.pageCount);
    enclave.paging = this.components.createPaging(enclave.id, filePages, enclave.isInFlight);
    if (versionArray !== NONE) enclave.paging.slots.addPage(versionArray);
    const secs = yield* this.pages.alloc(thread, enclave, SECS_RECORD, true);
    if (secs < 0) return yield* this.undo(thread, enclave, versionArray, secs);
    if (!(yield* this.ecreate(thread, secs, argument))) {
      yield* this.pages.free(thread, secs);
      return yield* this.undo(thread, enclave, versionArray, -Errno.EIO);
    }
    return yield* this.finish(thread, enclave, secs, argument);
  }

  /** What is wrong before anything is allocated, in Linux's order. @returns 0 or a negated errno */
  protected refusal(argument: CreateArgument): ErrnoResult {
    if (argument.isArgumentBad === true) return -Errno.EFAULT;
    if (this.components.failures?.fails('kmalloc') === true) return -Errno.ENOMEM;
    if (argument.isSourceBad === true) return -Errno.EFAULT;
    return isPowerOfTwo(argument.pageCount * 4096) ? 0 : -Errno.EINVAL;
  }

  /** ECREATE. @returns whether it succeeded */
  protected *ecreate(thread: Thread, secs: number, argument: CreateArgument): Routine<boolean> {
    const { hardware } = this.components;
    if (thread.spend(Cost.ECREATE) > thread.limit) yield hardware.leafAt(secs, thread.cpu, Leaf.ECREATE);
    const { pageCount, basePage, attributes } = argument;
    const source = { pageCount, basePage, attributes, ssaFrameSize: 1 };
    let result: LeafResult;
    do result = hardware.ecreate(thread.cpu, secs, source);
    while (isExit(result) && (yield* servedByHost(hardware, thread)));
    return result === 0;
  }

  /** The enclave exists from here on. */
  protected *finish(thread: Thread, enclave: Enclave, secs: number, argument: CreateArgument): Routine<0> {
    enclave.setRange(argument.basePage, argument.pageCount);
    enclave.attributes = argument.attributes;
    this.allow(enclave);
    enclave.setSecsResident(secs);
    const debug = (argument.attributes & Attribute.DEBUG) === 0 ? 0 : EnclaveFlag.DEBUG;
    if (thread.spend(Cost.STEP) > thread.limit) yield enclave.flags.adding;
    enclave.flags.add(thread, EnclaveFlag.CREATED + debug);
    return 0;
  }

  /** What INIT will accept. Linux assigns it, so that a PROVISION from before CREATE is forgotten (L-10). */
  protected allow(enclave: Enclave): void {
    enclave.allowedAttributes = UNPRIVILEGED;
  }

  /** Takes the version array and the backing back. */
  protected *undo(thread: Thread, enclave: Enclave, versionArray: number, error: number): Routine<number> {
    enclave.paging?.backing.close();
    enclave.paging = null;
    yield* this.pages.shrink(thread, enclave, versionArray);
    return error;
  }
}

/** The repair of L-10: what PROVISION has allowed before CREATE stays allowed. */
export class GrantingCreate extends Create {
  protected override allow(enclave: Enclave): void {
    enclave.allowedAttributes |= UNPRIVILEGED;
  }
}

function isPowerOfTwo(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 1 && Number.isInteger(Math.log2(value));
}
