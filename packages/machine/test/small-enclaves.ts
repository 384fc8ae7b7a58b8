import type { CostName, CpuSet, Lock, Routine, Thread } from '@epckit/interface';
import { COST_COUNT, Cost } from '@epckit/interface';
import type { Ipi, Machine, MachineThread, TimedOptions } from '../src/index.js';
import { createMachine } from '../src/index.js';

/** A small system of enclaves, faults and reclaim on a machine: everything that look-ahead has to respect. */
export interface SmallSystem {
  readonly seed: number;
  readonly cpuCount: number;
  readonly nodeCount: number;
  readonly enclaveCount: number;
  readonly threadsPerCpu: number;
  readonly pagesPerEnclave: number;
  /** EPC pages for all enclaves together. */
  readonly epcPages: number;
  readonly references: number;
  /** Work of a reference, times 1 to 16. */
  readonly workCycles: number;
  readonly batch: number;
  readonly sliceCycles: number;
  /** Does the handler of an interrupt bring the thread back? */
  readonly resumesAtOnce: boolean;
  readonly costs: Partial<Record<CostName, number>>;
}

/** 32 bits of mulberry32 by Tommy Ettinger. */
export function randomBits(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
}

const PRESENT = 1;
const ACCESSED = 2;

class Enclave {
  readonly pte: Uint8Array;
  readonly lock: Lock;
  /** Tracking counter: every look goes to the log. */
  epoch = 0;
  readonly inside = new Set<number>();
  hand = 0;
  readonly id: number;

  constructor(id: number, machine: Machine, pages: number) {
    this.id = id;
    this.pte = new Uint8Array(pages);
    this.lock = machine.mutex('enclave');
  }
}

/** What a run leaves behind. */
export interface SmallRun {
  readonly machine: Machine;
  /** Shared effects in the order in which they happened. */
  readonly shared: readonly string[];
  /** Everything that a run says, but how it was scheduled. */
  readonly bytes: string;
  readonly faults: number;
}

class Running {
  readonly machine: Machine;
  readonly shared: string[] = [];
  readonly own = new Map<MachineThread, string[]>();
  faults = 0;
  readonly #system: SmallSystem;
  readonly #enclaves: Enclave[];
  readonly #ipi: Ipi;
  readonly #list: Lock;
  readonly #nested: Lock;
  readonly #mm;
  readonly #wanted;
  readonly #inside = new Map<MachineThread, Enclave>();
  readonly #turns = new Map<MachineThread, number>();
  readonly #homes = new Map<MachineThread, Enclave>();
  #free: number;

  constructor(system: SmallSystem, timed: TimedOptions) {
    this.#system = system;
    const cpus = Array.from({ length: system.cpuCount }, (_, cpu) => ({ node: cpu % system.nodeCount }));
    const costs = new Float64Array(COST_COUNT);
    for (const [name, cycles] of Object.entries(system.costs)) costs[Cost[name as CostName]] = cycles;
    this.machine = createMachine({ cpus, costs, timed: { sliceCycles: system.sliceCycles, ...timed } });
    this.#list = this.machine.spinLock('list');
    this.#nested = this.machine.spinLock('nested');
    this.#mm = this.machine.rwLock('mm');
    this.#wanted = this.machine.waitQueue('reclaim');
    this.#free = system.epcPages;
    this.#enclaves = Array.from(
      { length: system.enclaveCount },
      (_, id) => new Enclave(id, this.machine, system.pagesPerEnclave),
    );
    this.#ipi = this.machine.createIpi(
      {
        arrive: (_by, cpu) => this.#interrupted(cpu),
        leave: (_by, cpu) => {
          if (system.resumesAtOnce) this.#comesBack(cpu);
        },
      },
      null,
    );
    this.machine.onSwitch = (_cpu, from) => {
      if (this.#inside.has(from)) this.#exit(from, 'switch');
    };
    this.#start();
  }

  #start(): void {
    const { seed, cpuCount, threadsPerCpu, enclaveCount, nodeCount } = this.#system;
    let user = 0;
    for (let cpu = 0; cpu < cpuCount; cpu++) {
      for (let i = 0; i < threadsPerCpu; i++, user++) {
        const enclave = this.#enclaves[user % enclaveCount] as Enclave;
        const thread = this.machine.createThread({ name: `user ${user}`, cpu });
        this.#homes.set(thread, enclave);
        this.own.set(thread, []);
        this.machine.start(thread, this.#program(thread, enclave, randomBits(seed * 1000 + user)));
      }
    }
    for (let node = 0; node < Math.min(nodeCount, cpuCount); node++) {
      const daemon = this.machine.createThread({ name: `daemon ${node}`, cpu: node, isKernel: true });
      this.machine.start(daemon, this.#daemon(daemon));
    }
  }

  *#program(thread: MachineThread, enclave: Enclave, random: () => number): Routine<void> {
    const { references, pagesPerEnclave, workCycles } = this.#system;
    const own = this.own.get(thread) as string[];
    const { costs } = this.machine;
    const kernel = costs[Cost.FAULT_KERNEL] as number;
    const entry = (costs[Cost.AEX] as number) + kernel;
    for (let left = references; left > 0; ) {
      if (!this.#inside.has(thread)) yield* this.#enter(thread, enclave);
      if (thread.clock > thread.limit) {
        thread.promiseQuiet(enclave.id, thread.clock + Math.min(entry, left * workCycles));
        yield thread.signalReading;
        if (!this.#inside.has(thread)) continue;
      }
      const bits = random();
      // Half of the references go to an eighth of the pages.
      const page =
        (bits & 1) === 0 ? (bits >>> 8) % pagesPerEnclave : (bits >>> 8) % Math.ceil(pagesPerEnclave / 8);
      while (((enclave.pte[page] as number) & PRESENT) === 0) {
        own.push(`${thread.clock} misses ${page}`);
        thread.promiseQuiet(enclave.id, thread.clock + (this.#inside.has(thread) ? entry : kernel));
        yield* this.#fault(thread, enclave, page);
        if (!this.#inside.has(thread)) yield* this.#enter(thread, enclave);
        // The access is repeated: a point before the page table.
        if (thread.clock > thread.limit) yield thread.signalReading;
      }
      enclave.pte[page] = (enclave.pte[page] as number) | ACCESSED;
      thread.spendCycles(Cost.COMPUTE, workCycles * (1 + ((bits >>> 3) & 15)));
      left--;
    }
    if (thread.spend(Cost.EEXIT) > thread.limit) yield thread.signalReading;
    this.machine.catchUp(thread, enclave.id);
    this.#inside.delete(thread);
    enclave.inside.delete(thread.id);
    this.#logs(thread, `leaves ${enclave.id}`);
  }

  *#enter(thread: MachineThread, enclave: Enclave): Routine<void> {
    if (thread.spend(Cost.ERESUME) > thread.limit) yield thread.signalReading;
    this.machine.catchUp(thread, enclave.id);
    enclave.inside.add(thread.id);
    this.#inside.set(thread, enclave);
    this.own.get(thread)?.push(`${thread.clock} enters`);
  }

  *#fault(thread: MachineThread, enclave: Enclave, page: number): Routine<void> {
    if (++this.faults > 50_000) throw new Error('no progress');
    if (this.#inside.has(thread)) {
      if (thread.spend(Cost.AEX) > thread.limit) yield thread.signalReading;
      this.#leave(thread, enclave);
    }
    thread.spend(Cost.FAULT_KERNEL);
    while (this.#mm.mustWaitRead(thread)) yield this.#mm.acquireRead;
    while (enclave.lock.mustWait(thread)) yield enclave.lock.acquire;
    this.#logs(thread, `faults at ${enclave.id}:${page}`);
    if (thread.clock > thread.limit) yield thread.signalReading;
    this.machine.catchUp(thread, enclave.id);
    let isLoaded = true;
    if (((enclave.pte[page] as number) & PRESENT) === 0) isLoaded = yield* this.#load(thread, enclave, page);
    enclave.lock.release(thread);
    this.#mm.releaseRead(thread);
    if (isLoaded) return;
    const turn = (this.#turns.get(thread) ?? thread.id) + 1;
    this.#turns.set(thread, turn);
    yield* this.#reclaim(thread, this.#enclaves[turn % this.#enclaves.length] as Enclave);
  }

  /** @returns false if no page was free */
  *#load(thread: MachineThread, enclave: Enclave, page: number): Routine<boolean> {
    while (this.#list.mustWait(thread)) yield this.#list.acquire;
    const isFree = this.#free > 0;
    if (isFree) this.#free--;
    thread.spendCycles(Cost.STEP, 20);
    this.#list.release(thread);
    this.#logs(thread, `free ${this.#free}`);
    if (this.#free < this.#system.batch) this.#wanted.wake(thread);
    if (!isFree) return false;
    if (thread.spend(Cost.ELDU) > thread.limit) yield thread.signalReading;
    this.#logs(thread, `loads ${enclave.id}:${page}`);
    if (thread.clock > thread.limit) yield thread.signalReading;
    this.machine.catchUp(thread, enclave.id);
    enclave.pte[page] = PRESENT | ACCESSED;
    return true;
  }

  *#daemon(thread: MachineThread): Routine<never> {
    for (let turn = thread.cpu; ; ) {
      this.#wanted.prepare(thread);
      if (thread.clock > thread.limit) yield thread.signalReading;
      if (this.#free >= 2 * this.#system.batch) {
        yield* this.#wanted.sleep(thread);
        continue;
      }
      yield* this.#reclaim(thread, this.#enclaves[turn++ % this.#enclaves.length] as Enclave);
    }
  }

  *#reclaim(thread: MachineThread, enclave: Enclave): Routine<void> {
    const { batch, pagesPerEnclave } = this.#system;
    const victims: number[] = [];
    // The list's section looks at page tables: as of its acquisition.
    while (this.#list.mustWait(thread)) yield this.#list.acquire;
    this.machine.catchUp(thread, enclave.id);
    for (let i = 0; i < pagesPerEnclave && victims.length < batch; i++) {
      const page = enclave.hand++ % pagesPerEnclave;
      if (((enclave.pte[page] as number) & PRESENT) !== 0) victims.push(page);
      thread.spendCycles(Cost.STEP, 3);
    }
    while (this.#nested.mustWait(thread)) yield this.#nested.acquire;
    thread.spendCycles(Cost.STEP, 7);
    this.#nested.release(thread);
    this.#list.release(thread);
    while (enclave.lock.mustWait(thread)) yield enclave.lock.acquire;
    const old: number[] = [];
    for (const page of victims) {
      if (thread.spend(Cost.RECLAIM_SW) > thread.limit) yield thread.signalReading;
      this.machine.catchUp(thread, enclave.id);
      const pte = enclave.pte[page] as number;
      this.#logs(thread, `sees ${enclave.id}:${page} as ${pte}`);
      if ((pte & PRESENT) === 0) continue;
      enclave.pte[page] = pte & ~ACCESSED;
      if ((pte & ACCESSED) === 0) old.push(page);
    }
    if (old.length > 0) yield* this.#evict(thread, enclave, old);
    enclave.lock.release(thread);
  }

  *#evict(thread: MachineThread, enclave: Enclave, pages: readonly number[]): Routine<void> {
    const seen: number[] = [];
    for (const page of pages) {
      if (thread.spend(Cost.EBLOCK) > thread.limit) yield thread.signalReading;
      this.machine.catchUp(thread, enclave.id);
      seen.push(enclave.pte[page] as number);
      enclave.pte[page] = 0;
    }
    if (thread.spend(Cost.ETRACK) > thread.limit) yield thread.signalReading;
    this.machine.catchUp(thread, enclave.id);
    enclave.epoch++;
    this.#logs(thread, `tracks ${enclave.id} with ${[...enclave.inside].sort((a, b) => a - b)}, saw ${seen}`);
    const cpus = [...enclave.inside].map((id) => (this.machine.threads[id - 1] as Thread).cpu);
    const interrupted = yield* this.#ipi.send(thread, setOf(cpus));
    for (const _ of pages) if (thread.spend(Cost.EWB) > thread.limit) yield thread.signalReading;
    this.machine.catchUp(thread, enclave.id);
    this.#logs(thread, `evicts ${pages}, interrupted ${interrupted}, inside ${enclave.inside.size}`);
    while (this.#list.mustWait(thread)) yield this.#list.acquire;
    this.#free += pages.length;
    thread.spendCycles(Cost.STEP, 50);
    this.#list.release(thread);
  }

  #interrupted(cpu: number): boolean {
    const thread = this.machine.currentOf(cpu);
    if (thread === null || !this.#inside.has(thread)) return false;
    this.#exit(thread, 'interrupt');
    return true;
  }

  #comesBack(cpu: number): void {
    const thread = this.machine.currentOf(cpu);
    const enclave = thread === null ? undefined : this.#homes.get(thread);
    // Only who was computing: a thread in the kernel comes back by itself.
    if (thread === null || enclave === undefined || !this.#thrownOut.delete(thread)) return;
    thread.spend(Cost.ERESUME);
    enclave.inside.add(thread.id);
    this.#inside.set(thread, enclave);
  }

  readonly #thrownOut = new Set<MachineThread>();

  #exit(thread: MachineThread, why: string): void {
    const enclave = this.#inside.get(thread) as Enclave;
    thread.spend(Cost.AEX);
    this.#leave(thread, enclave);
    if (why === 'interrupt') this.#thrownOut.add(thread);
    this.own.get(thread)?.push(`${thread.clock} is thrown out by ${why}`);
  }

  #leave(thread: MachineThread, enclave: Enclave): void {
    this.#inside.delete(thread);
    enclave.inside.delete(thread.id);
  }

  #logs(thread: Thread, what: string): void {
    this.shared.push(`${thread.clock} ${thread.name} ${what}`);
  }
}

/** Runs the system. */
export function runSmallSystem(system: SmallSystem, timed: TimedOptions): SmallRun {
  const running = new Running(system, timed);
  const { machine } = running;
  machine.runTimed();
  const cpus = Array.from({ length: machine.cpuCount }, (_, cpu) => machine.timeOf(cpu));
  const bytes = JSON.stringify({
    shared: running.shared,
    own: [...running.own.values()],
    threads: machine.threads.map(({ clock, cycles, counts }) => [clock, [...cycles], [...counts]]),
    cpus: cpus.map(({ startedAt, clock, idle, cycles }) => [startedAt, clock, idle, [...cycles]]),
    locks: machine.lockStatistics(),
  });
  return { machine, shared: running.shared, bytes, faults: running.faults };
}

/** A set of CPUs. */
export function setOf(cpus: readonly number[]): CpuSet {
  const members = [...new Set(cpus)].sort((a, b) => a - b);
  return {
    clear: () => members.splice(0),
    add: (cpu) => void members.push(cpu),
    delete: () => {},
    has: (cpu) => members.includes(cpu),
    addAll: () => {},
    size: members.length,
    next: (from) => members.find((cpu) => cpu >= from) ?? -1,
  };
}
