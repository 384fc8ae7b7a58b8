import type { Enclave } from '@epckit/enclave';
import { checkEnclaves } from '@epckit/enclave';
import { checkEpcm } from '@epckit/hardware';
import type { Routine } from '@epckit/interface';
import { Access, InvariantViolation, PageType, Prot } from '@epckit/interface';
import type { MachineThread } from '@epckit/machine';
import type { AccessRecord, Epc, UserCpu } from 'epckit';
import { AccessOutcome, createAccessRecord, createEpc, linux6 } from 'epckit';
import type { Case, Mark, World } from '../../src/index.js';

/** Mark: the access found its entry after the batch had begun and before it was over. */
export const HIT = 'hit during the batch';
/** Mark: the access has brought the page back before the batch was over. */
export const RELOADED = 'reloaded during the batch';
/** Mark: the thread was inside when the access began and is not when it ends. */
export const OUTSIDE = 'outside at the end';

/** A thread inside leaves and enters again for each fault. That changes state, so it never waits for a change. */
const MAX_FAULTS_INSIDE = 3;

/** Pages of the enclave: data, and the TCS that CPU 1 enters by. */
const DATA = 0;
const TCS = 1;

/** What is searched. */
export interface AccessPathOptions {
  /** Is CPU 1 inside the enclave when it begins? */
  readonly isInside: boolean;
}

/**
 * An EPC of eight pages with one enclave: version array, SECS, a data page, a TCS, both pages mapped. CPU 0 runs
 * one batch of the reclaimer, which evicts both pages and then the SECS; CPU 1 accesses the data page.
 */
export function accessPathCase(name: string, options: AccessPathOptions): Case {
  return { name, setup: (mark) => new AccessPath(mark, options).world() };
}

class AccessPath {
  readonly #epc: Epc;
  readonly #mark: Mark;
  readonly #enclave: Enclave;
  readonly #record: AccessRecord = createAccessRecord();
  #isReclaiming = false;

  constructor(mark: Mark, options: AccessPathOptions) {
    this.#mark = mark;
    this.#epc = createEpc({
      ...linux6,
      machine: { cpus: [{ node: 0 }, { node: 0 }], sections: [{ node: 0, pageCount: 8 }] },
      checking: true,
      // Nobody wakes the daemon: the batch on CPU 0 is the only reclaimer.
      reclaim: { lowPages: 0, highPages: 0 },
    });
    this.#epc.boot();
    this.#enclave = this.#build();
    for (const page of [TCS, DATA]) this.#run(this.#access(page));
    if (options.isInside) this.#run(this.#user.enter(this.#enclave, TCS));
    // The first batch finds both pages young and leaves them old.
    const [first] = this.#epc.cpus as [UserCpu];
    this.#epc.machine.run(first.thread, this.#epc.reclaimer.batch(first.thread));
  }

  world(): World {
    const { cpus, machine, reclaimer } = this.#epc;
    const [first] = cpus as [UserCpu];
    machine.start(first.thread, this.#reclaim(reclaimer.batch(first.thread)));
    machine.start(this.#user.thread, this.#accessData());
    return { machine, check: () => this.#check(), state: () => this.#state() };
  }

  get #user(): UserCpu {
    return this.#epc.cpus[1] as UserCpu;
  }

  *#reclaim(batch: Routine<number>): Routine<void> {
    this.#isReclaiming = true;
    yield* batch;
    this.#isReclaiming = false;
  }

  *#accessData(): Routine<void> {
    const wasInside = this.#user.isInside;
    const outcome = yield* this.#access(DATA);
    if (this.#isReclaiming && outcome === AccessOutcome.HIT) this.#mark(HIT);
    if (this.#isReclaiming && outcome === AccessOutcome.OK) this.#mark(RELOADED);
    if (this.#record.isOutside) this.#mark(OUTSIDE);
    const isOutside = wasInside && !this.#user.isInside;
    if (isOutside !== this.#record.isOutside) throw new InvariantViolation('The record does not tell.');
    if (outcome === AccessOutcome.HIT || outcome === AccessOutcome.OK) return;
    if (wasInside && outcome === AccessOutcome.RETRY_LIMIT) return;
    throw new InvariantViolation(`The access ends with ${outcome}, check ${this.#record.check}.`);
  }

  #access(page: number): Routine<number> {
    const maxFaults = this.#user.isInside ? MAX_FAULTS_INSIDE : Number.POSITIVE_INFINITY;
    return this.#epc.accesses.access(this.#user, this.#enclave, page, Access.READ, maxFaults, this.#record);
  }

  #build(): Enclave {
    const { driver } = this.#epc;
    const { thread } = this.#user;
    const process = this.#epc.createProcess('P');
    const enclave = driver.open();
    const range = { pageCount: 2, basePage: driver.chooseBasePage(2), attributes: 4 };
    const prot = Prot.R | Prot.W;
    const data = { page: DATA, count: 1, type: PageType.REG, prot, isMeasured: false };
    const tcs = { page: TCS, count: 1, type: PageType.TCS, prot: 0, isMeasured: false };
    this.#run(this.#user.load(process));
    this.#run(driver.create.run(thread, enclave, range));
    this.#run(driver.addPages.run(thread, process.mm, enclave, data));
    this.#run(driver.addPages.run(thread, process.mm, enclave, tcs));
    this.#run(driver.init.run(thread, enclave, {}));
    this.#run(driver.mapper.map(thread, process.mm, enclave, { start: 0, end: 2, prot }));
    return enclave;
  }

  #run<T>(routine: Routine<T>): T {
    return this.#epc.machine.run(this.#user.thread as MachineThread, routine);
  }

  /** Invariants of a machine at rest. */
  #check(): void {
    const { driver, frames, hardware } = this.#epc;
    const broken = [...checkEnclaves(driver, frames, hardware), ...checkEpcm(hardware)];
    if (broken.length === 0) return;
    throw new InvariantViolation(
      'The final state is wrong.',
      broken.map((violation) => JSON.stringify(violation)),
    );
  }

  #state(): string {
    const { records, secs } = this.#enclave;
    const state = [records.epc(DATA), records.epc(TCS), secs, this.#user.isInside, this.#epc.pools.free];
    return JSON.stringify(state);
  }
}
