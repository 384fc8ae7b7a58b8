import type { AddressSpace, ErrnoResult, PageTypeId, Routine, Thread } from '@epckit/interface';
import { Cost, Errno, NONE, PageType, SecInfo, SgxCode } from '@epckit/interface';
import type { EnclaveDriverComponents } from './components.js';
import type { Enclave } from './enclave.js';
import { EnclaveFlag } from './enclave.js';
import { exclusive } from './exclusive.js';
import type { EnclavePages } from './pages.js';

/** What ADD_PAGES adds. */
export interface AddArgument {
  /** First page of the range to add. */
  readonly page: number;
  /** Number of pages. */
  readonly count: number;
  /** TCS or REG. */
  readonly type: PageTypeId;
  /** R, W, X of the pages; none for TCS. */
  readonly prot: number;
  /** Measure the pages: 16 EEXTEND each. */
  readonly isMeasured: boolean;
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
   * `-EINVAL`, `-EBUSY` (occupied), `-ENOMEM`, `-ERESTARTSYS`, `-EIO`
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
    const flags = enclave.flags.read(thread) & (EnclaveFlag.CREATED | EnclaveFlag.INITIALIZED);
    if (flags !== EnclaveFlag.CREATED || !isValid(argument, enclave))
      return { result: -Errno.EINVAL, count: 0 };
    for (let done = 0; done < argument.count; done++) {
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
    if (records.exists(index)) return -Errno.EBUSY;
    records.insert(index, argument.type, ceilingOf(argument));
    if ((yield* this.eadd(thread, enclave, index, page, argument)) !== SgxCode.SUCCESS) {
      records.erase(index);
      return -Errno.EIO;
    }
    records.setResident(index, page);
    enclave.addChildren(1);
    if (argument.isMeasured && !(yield* this.measure(thread, enclave, page))) {
      records.erase(index);
      return -Errno.EIO;
    }
    yield* this.components.lists.mark(thread, page);
    return 0;
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
    if (thread.spend(Cost.EADD) > thread.limit) yield hardware.leafAt(page);
    return hardware.eadd(thread.cpu, page, enclave.secs, enclave.linearPage(index), secinfo, contents);
  }

  /** EEXTEND of all 16 chunks. @returns whether all succeeded */
  protected *measure(thread: Thread, enclave: Enclave, page: number): Routine<boolean> {
    const { hardware } = this.components;
    for (let chunk = 0; chunk < 16; chunk++) {
      if (thread.spend(Cost.EEXTEND) > thread.limit) yield hardware.leafAt(page);
      if (hardware.eextend(thread.cpu, page, enclave.secs, chunk) !== SgxCode.SUCCESS) return false;
    }
    return true;
  }
}

/** A TCS page is mapped readable and writable, whatever its EPCM says. */
function ceilingOf(argument: AddArgument): number {
  return argument.type === PageType.TCS ? SecInfo.R | SecInfo.W : argument.prot;
}

function isValid(argument: AddArgument, enclave: Enclave): boolean {
  const { page, count, type, prot } = argument;
  const isWhole = Number.isInteger(page) && Number.isInteger(count);
  const isInRange = isWhole && page >= 0 && count > 0 && page + count <= enclave.pageCount;
  const isWriteOnly = (prot & SecInfo.W) !== 0 && (prot & SecInfo.R) === 0;
  const hasReserved = (prot & ~(SecInfo.R | SecInfo.W | SecInfo.X)) !== 0;
  if (type === PageType.TCS) return isInRange && prot === 0;
  return isInRange && type === PageType.REG && !isWriteOnly && !hasReserved;
}
