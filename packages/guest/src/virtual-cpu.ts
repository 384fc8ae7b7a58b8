import type { Enclave } from '@epckit/enclave';
import type { AddressSpace, CpuId, LeafResult, Op, PageIndex, PageTable, Routine } from '@epckit/interface';
import { Cost, isExit, Leaf, NONE, SgxCode, servedByHost } from '@epckit/interface';
import type { MachineThread } from '@epckit/machine';
import type { GuestEpc } from './guest-epc.js';
import type { GuestHardware } from './guest-hardware.js';

/** A leaf that enters an enclave. */
type EntryLeaf = typeof Leaf.EENTER | typeof Leaf.ERESUME;

/** Where an enclave thread of a guest is that has not left by EEXIT. */
export interface GuestEntry {
  /** Enclave that was entered. */
  readonly enclave: Enclave;
  /** Page of the TCS in the enclave's range. */
  readonly tcs: number;
}

/** How an attempt to enter or resume ended. */
export const Entered = {
  /** inside */
  YES: 0,
  /** the guest has no page-table entry of the TCS: access it, and try again */
  NOT_MAPPED: 1,
  /** the leaf faults although the TCS is mapped: the EPC was lost, or the TCS cannot be entered */
  FAULT: 2,
} as const;
/** Value of {@link Entered}. */
export type EnteredId = (typeof Entered)[keyof typeof Entered];

/** What a virtual CPU belongs to. */
export interface VirtualCpuParts {
  /** The guest's view of the processor, as it is now: a reboot makes another one. */
  hardware(): GuestHardware;
  /** Guest-physical EPC. */
  readonly epc: GuestEpc;
}

/**
 * A virtual CPU: a thread of the machine on one CPU, which nobody else of the guest runs on, and the enclave thread on
 * it. Exits to the host happen inside its routines: they are exits of this CPU.
 */
export class VirtualCpu {
  /** CPU that it is pinned to; also its number in the guest. */
  readonly id: CpuId;
  /** Thread that executes the guest, and the host when the guest has left. */
  readonly thread: MachineThread;
  /** Address space of the guest process that is loaded. */
  process: AddressSpace | null = null;
  /** Enclave thread that runs here or was thrown out and can resume. */
  entry: GuestEntry | null = null;
  readonly #parts: VirtualCpuParts;
  /** An interrupt has thrown the thread out and has not returned yet. */
  #isInterrupted = false;

  constructor(id: CpuId, thread: MachineThread, parts: VirtualCpuParts) {
    this.id = id;
    this.thread = thread;
    this.#parts = parts;
  }

  /** Is the CPU executing inside an enclave of the guest? */
  get isInside(): boolean {
    return this.#hardware.insideOf(this.id) !== NONE;
  }

  /** `process` runs on this CPU from now on. */
  *load(process: AddressSpace): Routine<void> {
    if (this.process === process) return;
    if (this.isInside) yield* this.exitAsynchronously();
    if (this.thread.clock > this.thread.limit) yield process.cpusWriting;
    this.process?.unload(this.id);
    this.process = process;
    process.load(this.id);
  }

  /** The CPU enters the guest's kernel for a call of `process`. */
  *enterKernel(process: AddressSpace): Routine<void> {
    yield* this.load(process);
    if (this.isInside) yield* this.exitAsynchronously();
  }

  /** Asynchronous exit by a fault, an interrupt or a VM exit of this CPU itself. */
  *exitAsynchronously(): Routine<void> {
    if (this.thread.spend(Cost.AEX) > this.thread.limit) yield this.leavingAt;
    this.#hardware.aex(this.id);
  }

  /** Op to yield before an exit; the CPU is inside an enclave. */
  get leavingAt(): Op {
    return this.#hardware.leafAt(this.#hardware.insideOf(this.id), this.id, Leaf.AEX);
  }

  /** EENTER through a TCS page of the process that is loaded. */
  *enter(enclave: Enclave, tcs: number): Routine<EnteredId> {
    const entered = yield* this.#go(enclave, tcs, Leaf.EENTER);
    if (entered === Entered.YES) this.entry = { enclave, tcs };
    return entered;
  }

  /** ERESUME of the thread that was thrown out. */
  *resume(): Routine<EnteredId> {
    if (this.entry === null) return Entered.FAULT;
    const { enclave, tcs } = this.entry;
    const entered = yield* this.#go(enclave, tcs, Leaf.ERESUME);
    if (entered === Entered.YES) this.thread.spend(Cost.REFILL);
    return entered;
  }

  /** EEXIT. @returns whether the CPU was inside */
  *exit(): Routine<boolean> {
    if (!this.isInside) return false;
    const secs = this.#hardware.insideOf(this.id);
    if (this.thread.spend(Cost.EEXIT) > this.thread.limit) {
      yield this.#hardware.leafAt(secs, this.id, Leaf.EEXIT);
    }
    // An interrupt may have come first.
    if (!this.isInside) return false;
    this.#hardware.eexit(this.id);
    this.entry = null;
    return true;
  }

  /** An interrupt arrives, of the guest or of the host. Plain. @returns whether a thread was thrown out */
  interrupt(): boolean {
    if (!this.isInside) return false;
    this.thread.spend(Cost.AEX);
    this.#hardware.aex(this.id);
    this.#isInterrupted = true;
    return true;
  }

  /**
   * The interrupt returns. The thread that it threw out enters again if both page tables have its TCS; otherwise it
   * comes back by {@link resume} before it goes on. Plain.
   */
  resumeAfterInterrupt(): void {
    if (!this.#isInterrupted) return;
    this.#isInterrupted = false;
    if (this.entry === null) return;
    const { enclave, tcs } = this.entry;
    const page = this.#table(enclave)?.frame(tcs) ?? NONE;
    if (page === NONE || this.#parts.epc.translate(page) === NONE) return;
    this.thread.spend(Cost.ERESUME);
    const result = this.#hardware.eresume(this.id, page, enclave.linearPage(tcs));
    if (result === SgxCode.SUCCESS) this.thread.spend(Cost.REFILL);
  }

  /** The virtual machine is reset or stopped: the thread is thrown out and forgotten. Plain. */
  reset(): void {
    // Somebody else may run on the CPU.
    if (this.isInside) this.#hardware.aex(this.id);
    this.process?.unload(this.id);
    this.process = null;
    this.entry = null;
    this.#isInterrupted = false;
  }

  /**
   * The leaf translates the address when it executes: the guest's page table is walked again after every stop, and after
   * the host has acted, because another virtual CPU may have reclaimed the page meanwhile. A leaf that has left the guest
   * was paid for.
   */
  *#go(enclave: Enclave, tcs: number, leaf: EntryLeaf): Routine<EnteredId> {
    const { thread } = this;
    const hardware = this.#hardware;
    const table = this.#table(enclave);
    if (table === undefined) return Entered.NOT_MAPPED;
    if (thread.clock > thread.limit) yield table.pteAt(tcs);
    const cost = leaf === Leaf.EENTER ? Cost.EENTER : Cost.ERESUME;
    for (let isPaid = false; ; isPaid = true) {
      let page = table.frame(tcs);
      if (page === NONE) return Entered.NOT_MAPPED;
      const clock = isPaid ? thread.clock : thread.spend(cost);
      if (clock > thread.limit) yield hardware.leafAt(page, this.id, leaf);
      // Thrown out, and brought back by the interrupt's return.
      if (this.isInside) return Entered.YES;
      page = table.frame(tcs);
      if (page === NONE) return Entered.NOT_MAPPED;
      const result = this.#execute(leaf, page, enclave.linearPage(tcs));
      if (result === SgxCode.SUCCESS) return Entered.YES;
      if (!isExit(result)) return Entered.FAULT;
      yield* servedByHost(hardware, thread);
    }
  }

  #execute(leaf: EntryLeaf, page: PageIndex, linearPage: number): LeafResult {
    return leaf === Leaf.EENTER
      ? this.#hardware.eenter(this.id, page, linearPage)
      : this.#hardware.eresume(this.id, page, linearPage);
  }

  get #hardware(): GuestHardware {
    return this.#parts.hardware();
  }

  #table(enclave: Enclave): PageTable | undefined {
    return this.process?.table(enclave.id);
  }
}
