import type { DynamicResult, Enclave } from '@epckit/enclave';
import type { Routine } from '@epckit/interface';
import { errnoNames, PageType, Prot } from '@epckit/interface';
import type { Epc, Process, UserCpu } from '../../src/index.js';
import { EnclaveThread } from './enclave-thread.js';

const PAGE_BYTES = 4096;
const { R, W, X } = Prot;
const TEXT_PAGES = 2;
/** Two pages of buffer, save state areas, stacks. */
const DATA_PAGES = 6;
/** Pages of the range behind the segments at least, for those that are added later. */
const SPARE_PAGES = 10;
const ATTRIBUTES = 4;

/** What a dynamic-memory ioctl left in its argument, in bytes, and its errno. */
export interface IoctlResult {
  /** 0 or the name of an errno. */
  readonly errno: string | 0;
  /** Code of the leaf that refused. */
  readonly result: number;
  /** Bytes done. */
  readonly count: number;
}

/** Pages of the test enclave by segment. */
export interface Layout {
  /** TCS pages from the first page on. */
  readonly tcsCount: number;
  /** First page of code. */
  readonly text: number;
  /** First page of data, which is the buffer. */
  readonly data: number;
  /** First page of the heap. */
  readonly heap: number;
  readonly heapPages: number;
  /** First page behind the last segment. */
  readonly end: number;
}

function layoutOf(heapPages: number, tcsCount: number): Layout {
  const data = tcsCount + TEXT_PAGES;
  const heap = data + DATA_PAGES;
  return { tcsCount, text: tcsCount, data, heap, heapPages, end: heap + heapPages };
}

/** The enclave of the kernel's selftests (`test_encl.elf` and a heap), with the process that has it. */
export class TestEnclave {
  readonly process: Process;
  readonly enclave: Enclave;
  readonly layout: Layout;
  readonly #epc: Epc;

  constructor(epc: Epc, name: string, heapPages = 1, tcsCount = 2) {
    this.#epc = epc;
    this.process = epc.createProcess(name);
    this.enclave = epc.processes.open(this.process);
    this.layout = layoutOf(heapPages, tcsCount);
  }

  /** A thread of the process, bound to a CPU. */
  thread(cpu: UserCpu): EnclaveThread {
    return new EnclaveThread(this.#epc, cpu, this.process, this.enclave, this.layout.text);
  }

  /** Address of a page. */
  address(page: number): number {
    return this.enclave.linearPage(page) * PAGE_BYTES;
  }

  /** CREATE, ADD_PAGES per segment, INIT, and a mapping per segment. */
  *build(cpu: UserCpu): Routine<void> {
    const { driver, processes } = this.#epc;
    const { enclave, process } = this;
    const { thread } = cpu;
    const { tcsCount, text, data, heap, heapPages, end } = this.layout;
    const pageCount = 2 ** Math.ceil(Math.log2(end + SPARE_PAGES));
    yield* cpu.enterKernel(process);
    const range = { pageCount, basePage: driver.chooseBasePage(pageCount), attributes: ATTRIBUTES };
    require0('CREATE', yield* driver.create.run(thread, enclave, range));
    const segments = [
      { page: 0, count: tcsCount, type: PageType.TCS, prot: 0, mapped: R | W, isMeasured: true },
      { page: text, count: TEXT_PAGES, type: PageType.REG, prot: R | X, mapped: R | X, isMeasured: true },
      { page: data, count: DATA_PAGES, type: PageType.REG, prot: R | W, mapped: R | W, isMeasured: true },
      { page: heap, count: heapPages, type: PageType.REG, prot: R | W, mapped: R | W, isMeasured: false },
    ];
    for (const segment of segments) {
      require0('ADD_PAGES', (yield* driver.addPages.run(thread, process.mm, enclave, segment)).result);
    }
    require0('INIT', yield* driver.init.run(thread, enclave, {}));
    for (const { page, count, mapped } of segments) {
      const range = { start: page, end: page + count, prot: mapped };
      require0('mmap', yield* processes.map(thread, process, enclave, range));
    }
  }

  /** mmap, shared and fixed. */
  *map(cpu: UserCpu, page: number, count: number, prot: number): Routine<void> {
    yield* cpu.enterKernel(this.process);
    const range = { start: page, end: page + count, prot };
    require0('mmap', yield* this.#epc.processes.map(cpu.thread, this.process, this.enclave, range));
  }

  /** mprotect. */
  *protect(cpu: UserCpu, page: number, count: number, prot: number): Routine<void> {
    const { mapper } = this.#epc.driver;
    yield* cpu.enterKernel(this.process);
    const range = { start: page, end: page + count, prot };
    require0('mprotect', yield* mapper.protect(cpu.thread, this.process.mm, this.enclave, range));
  }

  /** RESTRICT_PERMISSIONS. */
  *restrict(cpu: UserCpu, page: number, count: number, permissions: number): Routine<IoctlResult> {
    const { restrictPermissions } = this.#epc.driver;
    yield* cpu.enterKernel(this.process);
    return inBytes(yield* restrictPermissions.run(cpu.thread, this.enclave, { page, count, permissions }));
  }

  /** MODIFY_TYPES. */
  *modifyTypes(cpu: UserCpu, page: number, count: number, type: number): Routine<IoctlResult> {
    yield* cpu.enterKernel(this.process);
    return inBytes(yield* this.#epc.driver.modifyTypes.run(cpu.thread, this.enclave, { page, count, type }));
  }

  /** REMOVE_PAGES. */
  *removePages(cpu: UserCpu, page: number, count: number): Routine<IoctlResult> {
    yield* cpu.enterKernel(this.process);
    return inBytes(yield* this.#epc.driver.removePages.run(cpu.thread, this.enclave, { page, count }));
  }

  /** Everything goes: mappings, descriptors, the enclave. */
  *release(cpu: UserCpu): Routine<void> {
    yield* this.#epc.processes.endAll(cpu.thread, this.enclave);
  }
}

/** Repeats an ioctl behind what it has done while it says EAGAIN. @returns the sum of the counts */
export function* untilDone(
  page: number,
  count: number,
  ioctl: (page: number, count: number) => Routine<IoctlResult>,
): Routine<IoctlResult> {
  let done = 0;
  for (;;) {
    const last = yield* ioctl(page + done, count - done);
    done += last.count / PAGE_BYTES;
    if (last.errno !== 'EAGAIN' && last.errno !== 'EBUSY') return { ...last, count: done * PAGE_BYTES };
  }
}

function inBytes({ result, count, leafResult }: DynamicResult): IoctlResult {
  const errno = result === 0 ? 0 : (errnoNames[-result] ?? String(result));
  return { errno, result: leafResult, count: count * PAGE_BYTES };
}

function require0(what: string, result: number): void {
  if (result !== 0) throw new Error(`${what} fails: ${errnoNames[-result] ?? result}`);
}
