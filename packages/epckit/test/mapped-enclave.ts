import type { Enclave } from '@epckit/enclave';
import type { Op, Probe, Routine } from '@epckit/interface';
import { Access, PageType, Prot } from '@epckit/interface';
import type { AccessOutcomeId, AccessRecord, Epc, Process, UserCpu } from '../src/index.js';
import { createAccessRecord, createEpc, linux6 } from '../src/index.js';

/** A data page of the enclave that {@link MappedEnclave.open} makes. */
export const DATA = 0;
/** Its TCS. */
export const TCS = 1;

/** Writes leaves down in order of execution. */
export function leafListener(leaves: number[]): Probe {
  return {
    leaf: (_cpu, leaf) => void leaves.push(leaf),
    pageAllocated() {},
    pageFreed() {},
    reclaimVerdict() {},
    batchEnded() {},
    daemonWoken() {},
    daemonRuns() {},
    faultHandled() {},
    pteZapped() {},
    aged() {},
    ipiSent() {},
    backingDropped() {},
    lockContended() {},
    warned() {},
  };
}

/** A stack with a small EPC, one process on both CPUs and enclaves of one data page and one TCS, all mapped. */
export class MappedEnclave {
  readonly epc: Epc;
  readonly process: Process;
  readonly enclave: Enclave;
  /** What the last access went through. */
  readonly record: AccessRecord = createAccessRecord();

  constructor(probe?: Probe) {
    this.epc = createEpc({
      ...linux6,
      machine: { cpus: [{ node: 0 }, { node: 0 }], sections: [{ node: 0, pageCount: 16 }] },
      // Nobody wakes the daemon: pages are evicted when a test says so.
      reclaim: { lowPages: 0, highPages: 0 },
      ...(probe === undefined ? {} : { probe }),
    });
    this.epc.boot();
    this.process = this.epc.createProcess('P');
    for (const cpu of this.epc.cpus) this.run(cpu, cpu.load(this.process));
    this.enclave = this.open();
  }

  /** CPU that the tests look at. */
  get cpu(): UserCpu {
    return this.epc.cpus[0] as UserCpu;
  }

  /** Another CPU of the same process. */
  get other(): UserCpu {
    return this.epc.cpus[1] as UserCpu;
  }

  /** Builds an enclave and maps it; no entry is present. */
  open(): Enclave {
    const { driver } = this.epc;
    const { cpu, process } = this;
    const { thread } = cpu;
    const enclave = driver.open();
    const range = { pageCount: 2, basePage: driver.chooseBasePage(2), attributes: 4 };
    const prot = Prot.R | Prot.W;
    const data = { page: DATA, count: 1, type: PageType.REG, prot, isMeasured: false };
    const tcs = { page: TCS, count: 1, type: PageType.TCS, prot: 0, isMeasured: false };
    this.run(cpu, driver.create.run(thread, enclave, range));
    this.run(cpu, driver.addPages.run(thread, process.mm, enclave, data));
    this.run(cpu, driver.addPages.run(thread, process.mm, enclave, tcs));
    this.run(cpu, driver.init.run(thread, enclave, {}));
    this.run(cpu, driver.mapper.map(thread, process.mm, enclave, { start: 0, end: 2, prot }));
    return enclave;
  }

  /** The CPU enters through the TCS, whose entry is present then. */
  enter(): void {
    this.access(TCS);
    this.run(this.cpu, this.cpu.enter(this.enclave, TCS));
  }

  /** Reads a page. */
  access(page: number, cpu = this.cpu, enclave = this.enclave): AccessOutcomeId {
    return this.run(cpu, this.epc.accesses.access(cpu, enclave, page, Access.READ, 3, this.record));
  }

  /** Evicts what can be evicted: the first batch finds pages young. */
  evictAll(): void {
    for (let batch = 0; batch < 2; batch++) {
      this.run(this.other, this.epc.reclaimer.batch(this.other.thread));
    }
  }

  run<T>(cpu: UserCpu, routine: Routine<T>): T {
    return this.epc.machine.run(cpu.thread, routine);
  }

  /** Runs a routine of the CPU to its end and calls `meanwhile` at the first point that announces `op`. */
  interruptAt<T>(op: Op, routine: Routine<T>, meanwhile: () => void): T {
    const { thread } = this.cpu;
    thread.limit = -1;
    let isDone = false;
    for (let next = routine.next(); ; next = routine.next()) {
      if (next.done === true) {
        thread.limit = Number.POSITIVE_INFINITY;
        return next.value;
      }
      if (next.value !== op || isDone) continue;
      isDone = true;
      meanwhile();
    }
  }
}
