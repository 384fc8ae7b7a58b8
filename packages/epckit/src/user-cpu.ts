import type { Enclave } from '@epckit/enclave';
import type { CpuId, Op, PageIndex, PageTable, Routine, SgxHardware } from '@epckit/interface';
import { Cost, Leaf, LeafFault, NONE, SgxCode } from '@epckit/interface';
import type { MachineThread } from '@epckit/machine';
import type { Process } from './process.js';
import type { CpuSharer, SharedCpu } from './shared-cpu.js';

/** A leaf that enters an enclave. */
type EntryLeaf = typeof Leaf.EENTER | typeof Leaf.ERESUME;

/** Where a thread is that has entered an enclave and not left it by EEXIT. */
export interface Entry {
  /** Enclave that was entered. */
  readonly enclave: Enclave;
  /** Page of the TCS in the enclave's range. */
  readonly tcs: number;
}

/**
 * User side of one CPU as one of its user threads has it: the process that it runs for, and where it is in an enclave.
 *
 * A CPU belongs to the process that last ran on it; that makes the CPU masks for IPIs. A call into the kernel,
 * a fault or another process throws the thread out of its enclave (AEX).
 */
export class UserCpu implements CpuSharer {
  /** CPU number. */
  readonly id: CpuId;
  /** Thread that runs user code and its system calls on this CPU. */
  readonly thread: MachineThread;
  /** Process that the thread runs for. */
  process: Process | null = null;
  /** Enclave thread that runs here or was thrown out and can resume. */
  entry: Entry | null = null;
  /** Was the thread thrown out because another one got the CPU, and has not tried to resume since? */
  isPreempted = false;
  /** Told when the thread begins to run for another process, or null. */
  onProcess: ((thread: MachineThread, process: Process) => void) | null = null;
  readonly #hardware: SgxHardware;
  /** What it shares with the other user threads of the CPU. */
  readonly #shared: SharedCpu;

  constructor(thread: MachineThread, hardware: SgxHardware, shared: SharedCpu) {
    this.id = thread.cpu;
    this.thread = thread;
    this.#hardware = hardware;
    this.#shared = shared;
    shared.add(thread.id, this);
  }

  /** Is the thread executing inside an enclave? */
  get isInside(): boolean {
    if (this.#hardware.insideOf(this.id) === NONE) return false;
    const { entered } = this.#shared;
    return entered === null || entered === this;
  }

  /** `process` runs on this CPU from now on. */
  *load(process: Process): Routine<void> {
    const shared = this.#shared;
    if (this.process === process && shared.process === process) return;
    if (this.#hardware.insideOf(this.id) !== NONE) yield* this.exitAsynchronously();
    if (this.thread.clock > this.thread.limit) yield process.mm.cpusWriting;
    this.process = process;
    this.onProcess?.(this.thread, process);
    shared.load(process);
  }

  /** The CPU enters the kernel for a call of `process`. */
  *enterKernel(process: Process): Routine<void> {
    yield* this.load(process);
    if (this.isInside) yield* this.exitAsynchronously();
  }

  /** Asynchronous exit by a fault or interrupt of this CPU itself. */
  *exitAsynchronously(): Routine<void> {
    if (this.thread.spend(Cost.AEX) > this.thread.limit) yield this.leavingAt;
    this.aex();
  }

  /** Op to yield before {@link aex}; the CPU is inside an enclave. */
  get leavingAt(): Op {
    return this.#hardware.leafAt(this.#hardware.insideOf(this.id), this.id, Leaf.AEX);
  }

  /** The exit itself. */
  aex(): void {
    this.#hardware.aex(this.id);
  }

  /**
   * EENTER through a TCS page of the process that is loaded.
   *
   * @returns result of the leaf; `LeafFault.PF` without a leaf if the page-table entry is missing
   */
  *enter(enclave: Enclave, tcs: number): Routine<number> {
    const page = yield* this.#reach(enclave, tcs, Leaf.EENTER);
    if (page === NONE) return LeafFault.PF;
    const result = this.#hardware.eenter(this.id, page, enclave.linearPage(tcs));
    if (result !== SgxCode.SUCCESS) return result;
    this.entry = { enclave, tcs };
    this.#shared.entered = this;
    return result;
  }

  /** EEXIT. @returns whether it has left: not if it is outside, also because it was thrown out at the point before */
  *exit(): Routine<boolean> {
    if (!this.isInside) return false;
    const secs = this.#hardware.insideOf(this.id);
    if (this.thread.spend(Cost.EEXIT) > this.thread.limit) {
      yield this.#hardware.leafAt(secs, this.id, Leaf.EEXIT);
      if (!this.isInside) return false;
    }
    this.#hardware.eexit(this.id);
    this.entry = null;
    return true;
  }

  /**
   * ERESUME of the thread that was thrown out, if its TCS page is mapped.
   *
   * @returns whether it is inside again; if not, access the TCS page ({@link entry}) and try once more
   */
  *resume(): Routine<boolean> {
    this.isPreempted = false;
    if (this.entry === null) return false;
    const { enclave, tcs } = this.entry;
    return this.#eresume(yield* this.#reach(enclave, tcs, Leaf.ERESUME));
  }

  /** An interrupt throws the thread out of its enclave, or another thread that gets the CPU does. */
  throwOut(): void {
    if (this.#shared.isPaidBy(this.thread)) this.thread.spend(Cost.AEX);
    this.#hardware.aex(this.id);
  }

  /** An interrupt that threw the thread out returns: it enters again if its TCS page is mapped. */
  resumeAfterInterrupt(): void {
    const page = this.#mappedTcs();
    if (page !== NONE && this.#shared.isPaidBy(this.thread)) this.thread.spend(Cost.ERESUME);
    this.#eresume(page);
  }

  /**
   * The point of an entry through `tcs`. The page may be evicted while another CPU runs at the point: the leaf
   * translates the address when it executes, so the page table is walked again then.
   *
   * @returns EPC page that the leaf finds, or `-1` if no entry is present
   */
  *#reach(enclave: Enclave, tcs: number, leaf: EntryLeaf): Routine<PageIndex> {
    const { thread } = this;
    const table = this.#table(enclave);
    if (table === undefined) return NONE;
    if (thread.clock > thread.limit) yield table.pteAt(tcs);
    const page = table.frame(tcs);
    if (page === NONE) return NONE;
    const cost = leaf === Leaf.EENTER ? Cost.EENTER : Cost.ERESUME;
    if (thread.spend(cost) > thread.limit) yield this.#hardware.leafAt(page, this.id, leaf);
    return table.frame(tcs);
  }

  /** ERESUME through the TCS in EPC page `page`, `-1` for none. @returns whether the CPU is inside */
  #eresume(page: PageIndex): boolean {
    if (page === NONE) return false;
    const { enclave, tcs } = this.entry as Entry;
    const result = this.#hardware.eresume(this.id, page, enclave.linearPage(tcs));
    if (result !== SgxCode.SUCCESS) return false;
    this.#shared.entered = this;
    if (this.#shared.isPaidBy(this.thread)) this.thread.spend(Cost.REFILL);
    return true;
  }

  /** EPC page of the thread's TCS if its page-table entry is present, else `-1`. */
  #mappedTcs(): PageIndex {
    if (this.entry === null) return NONE;
    return this.#table(this.entry.enclave)?.frame(this.entry.tcs) ?? NONE;
  }

  #table(enclave: Enclave): PageTable | undefined {
    return this.process?.mm.table(enclave.id);
  }
}
