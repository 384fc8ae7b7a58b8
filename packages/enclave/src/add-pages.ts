import type { AddressSpace, ErrnoResult, LeafResult, PageTypeId, Routine, Thread } from '@epckit/interface';
import {
  Cost,
  Errno,
  isExit,
  Leaf,
  leafFailed,
  NONE,
  PageType,
  SecInfo,
  SgxCode,
  servedByHost,
} from '@epckit/interface';
import type { EnclaveDriverComponents } from './components.js';
import type { Enclave } from './enclave.js';
import { EnclaveFlag } from './enclave.js';
import { exclusive } from './exclusive.js';
import type { EnclavePages } from './pages.js';

/** Where the contents come from, and what is wrong with it. */
export type AddSource =
  /** nothing is wrong */
  | 'good'
  /** the address is not page-aligned */
  | 'misaligned'
  /** the mapping may never become executable */
  | 'noexec'
  /** no mapping is there, or no page can be got from it */
  | 'unmapped';

/** What ADD_PAGES adds. */
export interface AddArgument {
  /** First page of the range to add; not an integer: an offset that is not page-aligned. */
  readonly page: number;
  /** Number of pages; not an integer: a length that is not a multiple of the page size. */
  readonly count: number;
  /** Type in SECINFO: TCS or REG. */
  readonly type: PageTypeId;
  /** Flags in SECINFO besides the type: R, W, X; none for TCS. */
  readonly prot: number;
  /** Measure the pages: 16 EEXTEND each. */
  readonly isMeasured: boolean;
  /** Default: `good`. */
  readonly source?: AddSource;
  /** Reserved bytes of SECINFO are not zero. Default: false. */
  readonly isSecInfoReserved?: boolean;
  /** SECINFO cannot be read. Default: false. */
  readonly isSecInfoBad?: boolean;
  /** The argument of the ioctl cannot be read. Default: false. */
  readonly isArgumentBad?: boolean;
  /** Called before each page with the number of pages done: a signal may arrive here. */
  readonly beforePage?: (done: number) => void;
}

/** What ADD_PAGES did. */
export interface AddResult {
  /** 0 or a negated errno. */
  readonly result: ErrnoResult;
  /** Pages added. */
  readonly count: number;
}

/** ioctl ADD_PAGES (Linux `sgx_ioc_enclave_add_pages`). */
export class AddPages {
  /** What the driver is made of. */
  protected readonly components: EnclaveDriverComponents;
  /** Gets and gives back EPC pages. */
  protected readonly pages: EnclavePages;

  constructor(components: EnclaveDriverComponents, pages: EnclavePages) {
    this.components = components;
    this.pages = pages;
  }

  /**
   * Adds pages one by one; stops at the first failure, or between two pages when a signal is pending.
   *
   * `-EINVAL`, `-EFAULT`, `-EACCES` (source), `-EBUSY` (occupied), `-ENOMEM`, `-ERESTARTSYS`, `-EIO`
   */
  run(thread: Thread, mm: AddressSpace, enclave: Enclave, argument: AddArgument): Routine<AddResult> {
    const busy = { result: -Errno.EBUSY, count: 0 };
    return exclusive<AddResult>(thread, enclave, busy, this.execute(thread, mm, enclave, argument));
  }

  /** ADD_PAGES while no other ioctl runs. */
  protected *execute(
    thread: Thread,
    mm: AddressSpace,
    enclave: Enclave,
    argument: AddArgument,
  ): Routine<AddResult> {
    if (thread.spend(Cost.STEP) > thread.limit) yield enclave.flags.reading;
    const all = enclave.flags.read(thread);
    if ((all & EnclaveFlag.NO_MEMORY) !== 0) return { result: -Errno.ENOMEM, count: 0 };
    const flags = all & (EnclaveFlag.CREATED | EnclaveFlag.INITIALIZED);
    const refusal = flags === EnclaveFlag.CREATED ? refusalOf(argument, enclave) : -Errno.EINVAL;
    if (refusal !== 0) return { result: refusal, count: 0 };
    for (let done = 0; done < argument.count; done++) {
      argument.beforePage?.(done);
      if (thread.clock > thread.limit) yield thread.signalReading;
      if (thread.signalPending) return { result: done === 0 ? -Errno.ERESTARTSYS : 0, count: done };
      const result = yield* this.addPage(thread, mm, enclave, argument.page + done, argument);
      if (result !== 0) return { result, count: done };
    }
    return { result: 0, count: argument.count };
  }

  /** One page: EPC page, version array if one is due, EADD, measurement, reclaimable. */
  protected *addPage(
    thread: Thread,
    mm: AddressSpace,
    enclave: Enclave,
    index: number,
    argument: AddArgument,
  ): Routine<ErrnoResult> {
    thread.spend(Cost.ADD_USER);
    thread.spend(Cost.ADD_SW);
    if (this.components.failures?.fails('kmalloc') === true) return -Errno.ENOMEM;
    const page = yield* this.pages.alloc(thread, enclave, index, true);
    if (page < 0) return page;
    const versionArray = yield* this.pages.grow(thread, enclave, true);
    if (versionArray < NONE) {
      yield* this.pages.free(thread, page);
      return versionArray;
    }
    while (mm.lock.mustWaitRead(thread)) yield mm.lock.acquireRead;
    while (enclave.lock.mustWait(thread)) yield enclave.lock.acquire;
    const added = versionArray === NONE ? NONE : (enclave.paging?.slots.addPage(versionArray) ?? NONE);
    const result = yield* this.addLocked(thread, enclave, index, page, argument);
    if (result !== 0 && added !== NONE) enclave.paging?.slots.removePage(added);
    if (result !== 0) yield* this.pages.shrink(thread, enclave, versionArray);
    enclave.lock.release(thread);
    mm.lock.releaseRead(thread);
    if (result !== 0) yield* this.pages.free(thread, page);
    return result;
  }

  /** Under both locks: record, EADD, count, measurement, mark. */
  protected *addLocked(
    thread: Thread,
    enclave: Enclave,
    index: number,
    page: number,
    argument: AddArgument,
  ): Routine<ErrnoResult> {
    const { records } = enclave;
    if (enclave.isDying || this.components.failures?.fails('xa') === true) return -Errno.ENOMEM;
    if (records.exists(index)) return -Errno.EBUSY;
    records.insert(index, argument.type, ceilingOf(argument));
    const unreadable = sourceError(argument.source);
    if (unreadable !== 0) {
      records.erase(index);
      return unreadable;
    }
    if ((yield* this.eadd(thread, enclave, index, page, argument)) !== SgxCode.SUCCESS) {
      records.erase(index);
      return -Errno.EIO;
    }
    records.setResident(index, page);
    enclave.addChildren(1);
    if (argument.isMeasured && !(yield* this.measure(thread, enclave, page))) {
      this.withdraw(enclave, index);
      return -Errno.EIO;
    }
    yield* this.components.lists.mark(thread, page);
    return 0;
  }

  /** A page whose measurement failed goes again. Linux does not take it off the child count (L-04). */
  protected withdraw(enclave: Enclave, index: number): void {
    enclave.records.erase(index);
  }

  /** EADD with the page's permissions and type. */
  protected *eadd(
    thread: Thread,
    enclave: Enclave,
    index: number,
    page: number,
    argument: AddArgument,
  ): Routine<number> {
    const { hardware } = this.components;
    const secinfo = argument.prot | (argument.type << SecInfo.TYPE_SHIFT);
    const contents = (Math.imul(enclave.id, 0x9e3779b1) ^ index) >>> 0;
    if (thread.spend(Cost.EADD) > thread.limit) {
      yield hardware.leafAt(page, thread.cpu, Leaf.EADD, enclave.secs);
    }
    let result: LeafResult;
    do result = hardware.eadd(thread.cpu, page, enclave.secs, enclave.linearPage(index), secinfo, contents);
    while (isExit(result) && (yield* servedByHost(hardware, thread)));
    return result;
  }

  /** EEXTEND of all 16 chunks. @returns whether all succeeded */
  protected *measure(thread: Thread, enclave: Enclave, page: number): Routine<boolean> {
    const { hardware, probe } = this.components;
    for (let chunk = 0; chunk < 16; chunk++) {
      if (thread.spend(Cost.EEXTEND) > thread.limit) {
        yield hardware.leafAt(page, thread.cpu, Leaf.EEXTEND, enclave.secs);
      }
      let result: LeafResult;
      do result = hardware.eextend(thread.cpu, page, enclave.secs, chunk);
      while (isExit(result) && (yield* servedByHost(hardware, thread)));
      if (result === SgxCode.SUCCESS) continue;
      if (leafFailed(result)) probe?.warned(thread.id, '__sgx_encl_extend');
      return false;
    }
    return true;
  }
}

/** The repair of L-04: the child count goes back with the page. */
export class CountingAddPages extends AddPages {
  protected override withdraw(enclave: Enclave, index: number): void {
    super.withdraw(enclave, index);
    enclave.addChildren(-1);
  }
}

/** A TCS page is mapped readable and writable, whatever its EPCM says. */
function ceilingOf(argument: AddArgument): number {
  return argument.type === PageType.TCS ? SecInfo.R | SecInfo.W : argument.prot;
}

/** What is wrong before the first page, in Linux's order. @returns 0 or a negated errno */
function refusalOf(argument: AddArgument, enclave: Enclave): ErrnoResult {
  if (argument.isArgumentBad === true) return -Errno.EFAULT;
  if (argument.source === 'misaligned' || !isInRange(argument, enclave)) return -Errno.EINVAL;
  if (argument.isSecInfoBad === true) return -Errno.EFAULT;
  return isLegalSecInfo(argument) ? 0 : -Errno.EINVAL;
}

function isInRange({ page, count }: AddArgument, enclave: Enclave): boolean {
  const isWhole = Number.isInteger(page) && Number.isInteger(count);
  return isWhole && page >= 0 && count > 0 && page + count <= enclave.pageCount;
}

/** Linux `sgx_validate_secinfo`. */
function isLegalSecInfo({ type, prot, isSecInfoReserved }: AddArgument): boolean {
  const isWriteOnly = (prot & SecInfo.W) !== 0 && (prot & SecInfo.R) === 0;
  const hasReserved = (prot & ~(SecInfo.R | SecInfo.W | SecInfo.X)) !== 0;
  if (hasReserved || isWriteOnly || isSecInfoReserved === true) return false;
  return type === PageType.REG || (type === PageType.TCS && prot === 0);
}

/** What comes of the source page, once there is a record. @returns 0 or a negated errno */
function sourceError(source: AddSource | undefined): ErrnoResult {
  if (source === 'noexec') return -Errno.EACCES;
  return source === 'unmapped' ? -Errno.EFAULT : 0;
}
