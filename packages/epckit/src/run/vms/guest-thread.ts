import type { GuestAccessRecord, VirtualCpu } from '@epckit/guest';
import { createGuestAccessRecord, Entered, GuestAccess } from '@epckit/guest';
import type { AccessKind, Op, PageTable, Routine } from '@epckit/interface';
import { Access, Cost, EpcmCheck, Mode, op } from '@epckit/interface';
import type { MachineThread } from '@epckit/machine';
import type { TracePart } from '../deal.js';
import { RunFailure } from '../run-failure.js';
import type { GuestEnclave } from './guest-enclave.js';

const outcomeWords: Readonly<Record<number, string>> = {
  [GuestAccess.SIGBUS]: 'SIGBUS: the guest has no free EPC page and none can be reclaimed',
  [GuestAccess.FAULT_LIMIT]: 'no progress: every page is reclaimed before it can be used',
};

/** Faults of one access after which a program is said to make no progress. */
const MAX_FAULTS = 100_000;

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
    const { program, settings, startAt } = this.#enclave;
    this.#thread.waitUntil(startAt, Cost.EVENT_WAIT);
    if (this.#thread.clock > this.#thread.limit) yield this.#computing;
    if (this.#index === 0) yield* this.#build();
    yield* this.#waitUntilBuilt();
    yield* this.#cpu.enterKernel(program.mm);
    this.#enclave.entered = Math.min(this.#enclave.entered, this.#thread.clock);
    yield* this.#comeBack();
    for (let i = 0; i < settings.repeat && this.#thread.clock < this.#enclave.stopAt; i++) {
      yield* this.#replay(this.#enclave.traceParts[this.#index] as TracePart);
    }
    while (!(yield* this.#cpu.exit())) yield* this.#comeBack();
    if (this.#enclave.threadEnds(this.#thread.clock)) yield* this.#enclave.end(this.#cpu);
  }

  *#build(): Routine<void> {
    const { program } = this.#enclave;
    this.#enclave.began = this.#thread.clock;
    yield* program.build(this.#cpu);
    this.#enclave.noteBuilt(this.#cpu);
  }

  *#waitUntilBuilt(): Routine<void> {
    const { building } = this.#enclave;
    if (this.#enclave.isBuilt) return;
    building.prepare(this.#thread);
    while (!this.#enclave.isBuilt) {
      yield* building.sleep(this.#thread);
      building.prepare(this.#thread);
    }
    building.finish(this.#thread);
  }

  /** Replays a part of the trace once: the hit path until it misses or another CPU is due, then a fault. */
  *#replay({ page, type, count, from, to }: TracePart): Routine<void> {
    const { program, vm, parts, stopAt } = this.#enclave;
    const { accesses } = vm.kernel;
    const { enclave, mm } = program;
    const table = mm.table(enclave.id) as PageTable;
    const cyclesPerReference = parts.machine.costs[Cost.COMPUTE] as number;
    for (let run = from; run < to && this.#thread.clock < stopAt; ) {
      if (!this.#cpu.isInside) yield* this.#comeBack();
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
    const { enclave } = this.#enclave.program;
    for (let attempt = 0; attempt < MAX_FAULTS; attempt++) {
      if (this.#cpu.isInside) return;
      const isNew = this.#cpu.entry === null;
      const entered = yield* isNew ? this.#cpu.enter(enclave, this.#tcs) : this.#cpu.resume();
      if (entered === Entered.YES) return;
      if (entered === Entered.FAULT) throw this.#failed('EENTER', 'refused by the processor');
      yield* this.#reach(this.#tcs, Access.READ);
    }
    throw this.#failed('EENTER', 'no progress: the TCS page is reclaimed before it can be used');
  }

  /** Makes a page accessible, whatever it takes, and notes how long that has taken. */
  *#reach(page: number, kind: AccessKind): Routine<void> {
    const { vm, program, parts, latency } = this.#enclave;
    const { counters } = parts;
    const loads = counters.loadsOf(this.#thread.id);
    const begin = this.#thread.clock;
    const record = this.#record;
    const { accesses } = vm.kernel;
    const outcome = yield* accesses.access(this.#cpu, program.enclave, page, kind, MAX_FAULTS, record);
    const isTcs = outcome === GuestAccess.EPCM && record.check === EpcmCheck.TYPE;
    if (outcome !== GuestAccess.OK && !isTcs) {
      throw this.#failed('an access', outcomeWords[outcome] ?? 'refused by the EPCM');
    }
    if (record.faults + record.violations === 0) return;
    const isLoad = counters.loadsOf(this.#thread.id) > loads;
    const what = isLoad ? 'load' : record.faults > 0 ? 'firstTouch' : 'host';
    latency[what].add(this.#thread.clock - begin);
  }

  #failed(call: string, result: string): RunFailure {
    return guestFailure(this.#enclave.vm.name, this.#enclave.settings.name, call, result);
  }
}

/** The error for a program of a guest that cannot go on. */
export function guestFailure(vm: string, enclave: string, call: string, result: string): RunFailure {
  const message = `Enclave '${enclave}' of virtual machine '${vm}' cannot run: ${call} fails (${result}).`;
  return new RunFailure(vm, message, [], 'Give the guest more EPC.', { call, result });
}
