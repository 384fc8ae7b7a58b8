import type { CpuId, SgxHardware, ThreadId } from '@epckit/interface';
import { NONE } from '@epckit/interface';
import type { Machine, MachineThread } from '@epckit/machine';
import type { Process } from './process.js';

/** A user thread as the others of its CPU see it. */
export interface CpuSharer {
  /** Process that the thread runs for. */
  readonly process: Process | null;
  /** Was the thread thrown out because another one got the CPU, and has not tried to resume since? */
  isPreempted: boolean;
  /** The thread leaves its enclave, by an asynchronous exit. */
  throwOut(): void;
  /** An interrupt that threw the thread out returns. */
  resumeAfterInterrupt(): void;
}

/** What the user threads of a CPU share: the process that is loaded, and which of them is inside an enclave. */
export class SharedCpu {
  /** CPU number. */
  readonly id: CpuId;
  /** Process that last ran here. */
  process: Process | null = null;
  /** Thread that has entered an enclave last, or null if none has. */
  entered: CpuSharer | null = null;
  readonly #hardware: SgxHardware;
  readonly #machine: Machine;
  readonly #users = new Map<ThreadId, CpuSharer>();
  /** Thread that an interrupt has thrown out which has not returned yet. */
  #interrupted: CpuSharer | null = null;

  constructor(id: CpuId, hardware: SgxHardware, machine: Machine) {
    this.id = id;
    this.#hardware = hardware;
    this.#machine = machine;
  }

  /**
   * Is what an interrupt does on the CPU the thread's time? In the timed world not if it has left the CPU: code that
   * nobody simulates is interrupted then, in no time.
   */
  isPaidBy(thread: MachineThread): boolean {
    return this.#machine.world !== 'timed' || this.#machine.currentOf(this.id) === thread;
  }

  /** A user thread shares the CPU from now on. */
  add(thread: ThreadId, user: CpuSharer): void {
    this.#users.set(thread, user);
  }

  /** The CPU's mask is that of `process` from now on. */
  load(process: Process): void {
    if (this.process === process) return;
    this.process?.mm.unload(this.id);
    this.process = process;
    process.mm.load(this.id);
  }

  /** An interrupt arrives. @returns whether a thread was thrown out of its enclave */
  interrupt(): boolean {
    if (this.#hardware.insideOf(this.id) === NONE || this.entered === null) return false;
    this.#interrupted = this.entered;
    this.entered.throwOut();
    return true;
  }

  /** The interrupt returns: the thread that it threw out enters again if its TCS page is mapped. */
  resumeAfterInterrupt(): void {
    const interrupted = this.#interrupted;
    this.#interrupted = null;
    interrupted?.resumeAfterInterrupt();
  }

  /** Another thread gets the CPU: one that is inside leaves its enclave, and the masks follow. */
  switchTo(to: MachineThread): void {
    const { entered } = this;
    if (entered !== null && this.#hardware.insideOf(this.id) !== NONE) {
      entered.throwOut();
      entered.isPreempted = true;
    }
    const process = this.#users.get(to.id)?.process ?? null;
    // Kernel threads borrow the address space that is loaded.
    if (process !== null) this.load(process);
  }
}
