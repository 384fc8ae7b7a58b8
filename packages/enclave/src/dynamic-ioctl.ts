import type { ErrnoResult, Routine, Thread } from '@epckit/interface';
import { Cost, Errno } from '@epckit/interface';
import type { DynamicMemoryComponents, EnclaveDriverComponents } from './components.js';
import type { Enclave } from './enclave.js';
import { EnclaveFlag } from './enclave.js';
import { exclusive } from './exclusive.js';
import type { Loader } from './load.js';
import type { EnclavePages } from './pages.js';
import { TrackingCycle } from './tracking-cycle.js';
import { zapEverywhere } from './zap.js';

/** Pages that an ioctl for dynamic memory is to change, and what is wrong with its argument. */
export interface DynamicArgument {
  /** First page; not an integer: an offset that is not page-aligned. */
  readonly page: number;
  /** Number of pages; not an integer: a length that is not a multiple of the page size. */
  readonly count: number;
  /** What `count` of the argument says before the call, in pages. Must be 0, which is the default. */
  readonly countBefore?: number;
  /** What `result` of the argument says before the call. Must be 0, which is the default. */
  readonly resultBefore?: number;
  /** The argument of the ioctl cannot be read. Default: false. */
  readonly isArgumentBad?: boolean;
}

/** What an ioctl for dynamic memory did. */
export interface DynamicResult {
  /** 0 or a negated errno. */
  readonly result: ErrnoResult;
  /** Pages done: `count` of the argument after the call. */
  readonly count: number;
  /** Code of the leaf that refused the next page, else 0: `result` of the argument after the call. */
  readonly leafResult: number;
}

/** Parts of the ioctls for dynamic memory. */
export interface DynamicIoctlParts {
  /** What the driver is made of. */
  readonly components: EnclaveDriverComponents;
  /** Gets and gives back EPC pages. */
  readonly pages: EnclavePages;
  /** Brings pages back. */
  readonly loader: Loader;
}

/**
 * What the three ioctls for dynamic memory (SGX2) have in common (Linux `sgx_ioc_sgx2_ready`,
 * `sgx_validate_offset_length` and the loops of `sgx_enclave_restrict_permissions`, `sgx_enclave_modify_types`
 * and `sgx_encl_remove_pages`): page by page, each under the enclave's lock, until the first that fails. The
 * caller goes on at `count` pages further.
 */
export abstract class DynamicIoctl<Argument extends DynamicArgument> {
  /** What the driver is made of. */
  protected readonly components: EnclaveDriverComponents;
  /** Gets and gives back EPC pages. */
  protected readonly pages: EnclavePages;
  /** Brings pages back. */
  protected readonly loader: Loader;

  constructor({ components, pages, loader }: DynamicIoctlParts) {
    this.components = components;
    this.pages = pages;
    this.loader = loader;
  }

  /**
   * `-EBUSY` (another ioctl runs), `-ENODEV` (no SGX2), `-EINVAL` (state, range, argument), `-EFAULT` (argument,
   * no such page, a leaf failed), `-EAGAIN` (the page or EPC for it is not to be had now); more in subclasses.
   */
  run(thread: Thread, enclave: Enclave, argument: Argument): Routine<DynamicResult> {
    const busy = untouched(-Errno.EBUSY, argument);
    return exclusive<DynamicResult>(thread, enclave, busy, this.execute(thread, enclave, argument));
  }

  /** The ioctl while no other one runs. */
  protected *execute(thread: Thread, enclave: Enclave, argument: Argument): Routine<DynamicResult> {
    const { dynamic } = this.components;
    if (dynamic === null || dynamic === undefined) return untouched(-Errno.ENODEV, argument);
    if (thread.spend(Cost.STEP) > thread.limit) yield enclave.flags.reading;
    const flags = enclave.flags.read(thread);
    if ((flags & EnclaveFlag.NO_MEMORY) !== 0) return untouched(-Errno.ENOMEM, argument);
    const isInitialized = (flags & EnclaveFlag.INITIALIZED) !== 0;
    const refusal = isInitialized ? this.refusal(enclave, argument) : -Errno.EINVAL;
    if (refusal !== 0) return untouched(refusal, argument);
    return yield* this.loop(thread, enclave, argument, this.createTracking(dynamic));
  }

  /** Page by page. A batch before each page, without locks, gives loads that may not reclaim a chance. */
  protected *loop(
    thread: Thread,
    enclave: Enclave,
    argument: Argument,
    tracking: TrackingCycle,
  ): Routine<DynamicResult> {
    for (let done = 0; done < argument.count; done++) {
      yield* this.components.allocator.reclaimDirect(thread);
      while (enclave.lock.mustWait(thread)) yield enclave.lock.acquire;
      const index = argument.page + done;
      let result: number = yield* this.loadPage(thread, enclave, index);
      if (result === 0) result = yield* this.change(thread, enclave, index, argument, tracking);
      enclave.lock.release(thread);
      if (result > 0) return { result: -Errno.EFAULT, count: done, leafResult: result };
      if (result < 0) return { result, count: done, leafResult: 0 };
    }
    return { result: 0, count: argument.count, leafResult: 0 };
  }

  /** Makes the page resident. @returns 0, `-EAGAIN`, `-EFAULT`, or `-ENOMEM` of an enclave that dies */
  protected *loadPage(thread: Thread, enclave: Enclave, index: number): Routine<ErrnoResult> {
    if (enclave.isDying) return -Errno.ENOMEM;
    const page = yield* this.loader.loadByAddress(thread, enclave, index);
    if (page >= 0) return 0;
    return page === -Errno.EBUSY ? -Errno.EAGAIN : -Errno.EFAULT;
  }

  /**
   * Removes the page from every address space. The enclave's lock is dropped for that, because mmap locks come
   * before it. In Linux a fault may meanwhile map the page again (B-43, B-44).
   */
  protected *zap(thread: Thread, enclave: Enclave, index: number): Routine<void> {
    enclave.lock.release(thread);
    yield* zapEverywhere(thread, enclave, index);
    while (enclave.lock.mustWait(thread)) yield enclave.lock.acquire;
  }

  /** Makes what begins a tracking cycle after a change. */
  protected createTracking(dynamic: DynamicMemoryComponents): TrackingCycle {
    return new TrackingCycle(dynamic);
  }

  /** What is wrong before the first page, in Linux's order. @returns 0 or a negated errno */
  protected refusal(enclave: Enclave, argument: Argument): ErrnoResult {
    if (argument.isArgumentBad === true) return -Errno.EFAULT;
    if (!isInRange(argument, enclave) || !this.isLegal(argument)) return -Errno.EINVAL;
    return (argument.countBefore ?? 0) !== 0 || (argument.resultBefore ?? 0) !== 0 ? -Errno.EINVAL : 0;
  }

  /** Does the ioctl accept what its argument asks for besides the range? */
  protected abstract isLegal(argument: Argument): boolean;

  /**
   * Changes one resident page; the enclave's lock is held on entry and on return.
   *
   * @returns 0; a negated errno; or the code of a leaf that refused, which ends in `-EFAULT`
   */
  protected abstract change(
    thread: Thread,
    enclave: Enclave,
    index: number,
    argument: Argument,
    tracking: TrackingCycle,
  ): Routine<number>;
}

/** Nothing was done, and the argument is as it was. */
function untouched(
  result: ErrnoResult,
  { countBefore = 0, resultBefore = 0 }: DynamicArgument,
): DynamicResult {
  return { result, count: countBefore, leafResult: resultBefore };
}

function isInRange({ page, count }: DynamicArgument, enclave: Enclave): boolean {
  const isWhole = Number.isInteger(page) && Number.isInteger(count);
  return isWhole && page >= 0 && count > 0 && page + count <= enclave.pageCount;
}
