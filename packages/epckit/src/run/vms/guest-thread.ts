import type { GuestAccessRecord, VirtualCpu } from '@epckit/guest';
import { createGuestAccessRecord, Entered, GuestAccess, GuestHalted } from '@epckit/guest';
import type { AccessKind, Op, PageTable, Routine } from '@epckit/interface';
import { Access, Cost, EpcmCheck, Mode, op } from '@epckit/interface';
import type { MachineThread } from '@epckit/machine';
import type { TracePart } from '../deal.js';
import type { RunFailure } from '../run-failure.js';
import type { GuestEnclave } from './guest-enclave.js';
import type { GuestTroubleWords } from './guest-failure.js';
import { accessTrouble } from './guest-failure.js';

/** Faults of one access after which a program is said to make no progress. */
const MAX_FAULTS = 100_000;

const refused: GuestTroubleWords = { trouble: 'loss', result: 'refused by the processor' };
const stuck: GuestTroubleWords = {
  trouble: 'progress',
  result: 'no progress: the TCS page is reclaimed before it can be used',
};

/** A thread of a guest's enclave, on a virtual CPU: enters through a TCS of its own, replays its part of the trace, leaves. */
export class GuestThread {
  readonly #enclave: GuestEnclave;
  readonly #cpu: VirtualCpu;
  readonly #index: number;
  readonly #computing: Op;
  readonly #record: GuestAccessRecord = createGuestAccessRecord();

  /** @param index - of the thread; the first one builds the enclave */
  constructor(enclave: GuestEnclave, cpu: VirtualCpu, index: number) {
    this.#enclave = enclave;
    this.#cpu = cpu;
    this.#index = index;
    const name = `computation of ${enclave.vm.name}: ${enclave.settings.name}/${index}`;
    this.#computing = op(enclave.parts.machine.objects.range(name, 1), Mode.ADD);
  }

  get #thread(): MachineThread {
    return this.#cpu.thread;
  }

  /** Page of its TCS. */
  get #tcs(): number {
    return this.#enclave.dataPages + this.#index;
  }

  /** Its whole life; runs inside `VirtualMachine.onCpu`. */
  *main(): Routine<void> {
    const { program, startAt, isBuilt } = this.#enclave;
    yield* this.#waitUntil(startAt);
    if (this.#index === 0 && !isBuilt) yield* this.#enclave.build(this.#cpu);
    yield* this.#waitUntilBuilt();
    yield* this.#waitUntil(this.#enclave.enterAt[this.#index] as number);
    yield* this.#cpu.enterKernel(program.mm);
    yield* program.join(this.#cpu);
    try {
      yield* this.#work();
    } finally {
      yield* program.leave(this.#cpu);
    }
    if (this.#enclave.threadEnds(this.#thread.clock)) yield* program.end(this.#cpu);
  }

  /** Inside the enclave, from the first entry to the last exit. */
  *#work(): Routine<void> {
    const { settings, traceParts } = this.#enclave;
    this.#enclave.entered = Math.min(this.#enclave.entered, this.#thread.clock);
    yield* this.#comeBack();
    for (let i = 0; i < settings.repeat && this.#thread.clock < this.#enclave.stopAt; i++) {
      yield* this.#replay(traceParts[this.#index] as TracePart);
    }
    while (!(yield* this.#cpu.exit())) yield* this.#comeBack();
  }

  *#waitUntil(time: number): Routine<void> {
    this.#thread.waitUntil(time, Cost.EVENT_WAIT);
    if (this.#thread.clock > this.#thread.limit) yield this.#computing;
  }

  *#waitUntilBuilt(): Routine<void> {
    const { building, vm } = this.#enclave;
    if (this.#enclave.isBuilt) return;
    building.prepare(this.#thread);
    while (!this.#enclave.isBuilt && vm.state === 'running') {
      yield* building.sleep(this.#thread);
      building.prepare(this.#thread);
    }
    building.finish(this.#thread);
    if (!this.#enclave.isBuilt) throw new GuestHalted(vm.stopReason);
  }

  /** Replays a part of the trace once: the hit path until it misses or another CPU is due, then a fault. */
  *#replay({ page, type, count, from, to }: TracePart): Routine<void> {
    const { program, vm, parts, stopAt } = this.#enclave;
    const { accesses } = vm.kernel;
    const { mm } = program;
    let { enclave } = program;
    let table = mm.table(enclave.id) as PageTable;
    const cyclesPerReference = parts.machine.costs[Cost.COMPUTE] as number;
    for (let run = from; run < to && this.#thread.clock < stopAt; ) {
      if (!this.#cpu.isInside) yield* this.#comeBack();
      if (program.enclave !== enclave) {
        enclave = program.enclave;
        table = mm.table(enclave.id) as PageTable;
      }
      const index = page[run] as number;
      const kind = type[run] as AccessKind;
      if (!accesses.hits(this.#cpu, enclave, table, index, kind)) {
        yield* this.#reach(index, kind);
        continue;
      }
      const references = count[run++] as number;
      this.#enclave.accesses += references;
      parts.onProgress(references);
      const cycles = references * cyclesPerReference;
      if (this.#thread.spendCycles(Cost.COMPUTE, cycles) > this.#thread.limit) yield this.#computing;
    }
  }

  /** The CPU is inside the enclave, whatever it takes. */
  *#comeBack(): Routine<void> {
    const { program } = this.#enclave;
    for (let attempt = 0; attempt < MAX_FAULTS; attempt++) {
      if (this.#cpu.isInside) return;
      const isNew = this.#cpu.entry === null;
      const entered = yield* isNew ? this.#cpu.enter(program.enclave, this.#tcs) : this.#cpu.resume();
      if (entered === Entered.YES) return;
      if (entered === Entered.FAULT) yield* this.#recover('EENTER', refused);
      else yield* this.#reach(this.#tcs, Access.READ);
    }
    throw this.#failed('EENTER', stuck);
  }

  /** Makes a page accessible, whatever it takes, and notes how long that has taken. */
  *#reach(page: number, kind: AccessKind): Routine<void> {
    const { vm, program, parts, latency } = this.#enclave;
    const { counters, probe } = parts;
    probe.forgetWarning(this.#thread.id);
    const loads = counters.loadsOf(this.#thread.id);
    const begin = this.#thread.clock;
    const record = this.#record;
    const { accesses } = vm.kernel;
    const outcome = yield* accesses.access(this.#cpu, program.enclave, page, kind, MAX_FAULTS, record);
    const isTcs = outcome === GuestAccess.EPCM && record.check === EpcmCheck.TYPE;
    if (outcome !== GuestAccess.OK && !isTcs) {
      const warnedIn = probe.warnedIn(this.#thread.id);
      yield* this.#recover('an access', accessTrouble(outcome, program.enclave, page, warnedIn));
      return;
    }
    if (record.faults + record.violations === 0) return;
    const isLoad = counters.loadsOf(this.#thread.id) > loads;
    const what = isLoad ? 'load' : record.faults > 0 ? 'firstTouch' : 'host';
    latency[what].add(this.#thread.clock - begin);
  }

  /** The enclave is built again if the EPC was lost, by this thread or another one. @throws RunFailure if it was not */
  *#recover(call: string, words: GuestTroubleWords): Routine<void> {
    const { program, vm } = this.#enclave;
    if (!vm.hasLostEpc(program.enclave)) throw this.#failed(call, words);
    yield* program.recover(this.#cpu, call, words.result);
  }

  #failed(call: string, words: GuestTroubleWords): RunFailure {
    const { settings, parts } = this.#enclave;
    return parts.failures.program(settings.name, call, words);
  }
}
