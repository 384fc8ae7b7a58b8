import type { Enclave, FaultResultId } from '@epckit/enclave';
import { checkEnclaves, FaultResult } from '@epckit/enclave';
import { checkEpcm } from '@epckit/hardware';
import type { Routine } from '@epckit/interface';
import { InvariantViolation, PageType, Prot, SecInfo } from '@epckit/interface';
import type { MachineThread } from '@epckit/machine';
import type { Epc, Process, UserCpu } from 'epckit';
import { createEpc, linux6 } from 'epckit';
import type { Case, Mark, World } from '../../src/index.js';

/** Mark: no thread was killed. */
export const WELL = 'both end well';
/** Mark: REMOVE_PAGES was done, and the address was added again before the end. */
export const ADDED_AGAIN = 'added again';

const PAGE = 1;

/** Two threads of one process, on CPUs of their own, and an initialised enclave of one page at index 0. */
abstract class DynamicMemory {
  protected readonly epc: Epc;
  protected readonly enclave: Enclave;
  protected readonly process: Process;
  protected readonly mark: Mark;

  constructor(mark: Mark) {
    this.mark = mark;
    this.epc = createEpc({
      ...linux6,
      machine: { cpus: [{ node: 0 }, { node: 0 }], sections: [{ node: 0, pageCount: 8 }] },
      checking: true,
      reclaim: { lowPages: 0, highPages: 0 },
    });
    this.epc.boot();
    this.process = this.epc.createProcess('P');
    this.enclave = this.#build();
  }

  /** Starts both threads. */
  world(): World {
    const { machine, cpus } = this.epc;
    const [first, second] = cpus as [UserCpu, UserCpu];
    machine.start(first.thread, this.first(first));
    machine.start(second.thread, this.second(second));
    return { machine, check: () => this.check() };
  }

  protected abstract first(cpu: UserCpu): Routine<void>;
  protected abstract second(cpu: UserCpu): Routine<void>;

  /** A page fault at {@link PAGE}. */
  protected *fault({ thread }: UserCpu): Routine<FaultResultId> {
    const { mm } = this.process;
    while (mm.lock.mustWaitRead(thread)) yield mm.lock.acquireRead;
    const vma = mm.table(this.enclave.id)?.vmaOf(PAGE);
    if (vma === undefined) throw new InvariantViolation('The page is not mapped.');
    const result = yield* this.epc.driver.faults.fault(thread, mm, vma, this.enclave, PAGE);
    mm.lock.releaseRead(thread);
    return result;
  }

  protected check(): void {
    const { driver, frames, hardware } = this.epc;
    const broken = [...checkEnclaves(driver, frames, hardware), ...checkEpcm(hardware)];
    if (broken.length === 0) return;
    throw new InvariantViolation(
      'The final state is wrong.',
      broken.map((violation) => JSON.stringify(violation)),
    );
  }

  protected run<T>(routine: Routine<T>): T {
    const [first] = this.epc.cpus as [UserCpu];
    return this.epc.machine.run(first.thread as MachineThread, routine);
  }

  #build(): Enclave {
    const { driver, cpus } = this.epc;
    const [{ thread }] = cpus as [UserCpu];
    const enclave = driver.open();
    const range = { pageCount: 2, basePage: driver.chooseBasePage(2), attributes: 4 };
    const prot = Prot.R | Prot.W;
    const { mm } = this.process;
    const page = { page: 0, count: 1, type: PageType.REG, prot, isMeasured: false };
    for (const cpu of cpus) this.run(cpu.load(this.process));
    this.run(driver.create.run(thread, enclave, range));
    this.run(driver.addPages.run(thread, mm, enclave, page));
    this.run(driver.init.run(thread, enclave, {}));
    this.run(driver.mapper.map(thread, mm, enclave, { start: 0, end: 2, prot }));
    return enclave;
  }
}

class TwoFaults extends DynamicMemory {
  #isKilled = false;

  protected *first(cpu: UserCpu): Routine<void> {
    yield* this.#access(cpu);
  }
  protected *second(cpu: UserCpu): Routine<void> {
    yield* this.#access(cpu);
  }

  protected override check(): void {
    super.check();
    if (this.#isKilled) throw new InvariantViolation('A thread is killed for a page that exists.');
    this.mark(WELL);
  }

  *#access(cpu: UserCpu): Routine<void> {
    if ((yield* this.fault(cpu)) !== FaultResult.NOPAGE) this.#isKilled = true;
  }
}

class RemoveAndFault extends DynamicMemory {
  constructor(mark: Mark) {
    super(mark);
    const [cpu] = this.epc.cpus as [UserCpu];
    const { driver, hardware } = this.epc;
    this.run(this.fault(cpu));
    this.#accept(hardware.entry(this.#page).flags | (PageType.REG << SecInfo.TYPE_SHIFT));
    const trim = { page: PAGE, count: 1, type: PageType.TRIM };
    this.run(driver.modifyTypes.run(cpu.thread, this.enclave, trim));
    this.#accept(SecInfo.MODIFIED | (PageType.TRIM << SecInfo.TYPE_SHIFT));
  }

  protected *first({ thread }: UserCpu): Routine<void> {
    const removed = yield* this.epc.driver.removePages.run(thread, this.enclave, { page: PAGE, count: 1 });
    if (removed.result !== 0) throw new InvariantViolation(`REMOVE_PAGES: ${removed.result}`);
  }
  protected *second(cpu: UserCpu): Routine<void> {
    yield* this.fault(cpu);
  }

  protected override check(): void {
    super.check();
    if (this.enclave.records.exists(PAGE)) this.mark(ADDED_AGAIN);
  }

  get #page(): number {
    return this.enclave.records.epc(PAGE);
  }

  #accept(secinfo: number): void {
    const { hardware } = this.epc;
    const linear = this.enclave.linearPage(PAGE);
    const result = hardware.within(0, this.enclave.secs, () =>
      hardware.eaccept(0, this.#page, linear, secinfo),
    );
    if (result !== 0) throw new InvariantViolation(`EACCEPT: ${result}`);
  }
}

/** Two threads touch a page for the first time (B-42). */
export const twoFaults: Case = { name: 'two first faults', setup: (mark) => new TwoFaults(mark).world() };

/** A page is removed while another thread touches it (B-43). */
export const removeAndFault: Case = {
  name: 'REMOVE_PAGES beside a fault',
  setup: (mark) => new RemoveAndFault(mark).world(),
};
