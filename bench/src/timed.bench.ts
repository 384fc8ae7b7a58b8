import type { Lock, Routine } from '@epckit/interface';
import { Cost } from '@epckit/interface';
import type { Machine, MachineThread } from '@epckit/machine';
import { createCostTable, createMachine } from '@epckit/machine';

/**
 * What the timed world costs per entry of the scheduler, with routines that resemble a fault: references that hit,
 * AEX, two sleeping locks, a spinlock, a look at page tables, leaves, a wake-up now and then, ERESUME. No EPC, no
 * tables: what remains is the scheduler and the generators.
 */
const HITS = 400;
/** References of one page run. */
const RUN = 8;
const PAGES = 512;

interface System {
  readonly machine: Machine;
  readonly mm: Lock[];
  readonly list: Lock;
  readonly pte: Uint8Array[];
  enclaveOf(cpu: number): number;
}

function* fault(system: System, thread: MachineThread, page: number): Routine<void> {
  const { machine, list } = system;
  const domain = system.enclaveOf(thread.cpu);
  const lock = system.mm[domain] as Lock;
  if (thread.spend(Cost.AEX) > thread.limit) yield thread.signalReading;
  thread.spend(Cost.FAULT_KERNEL);
  while (list.mustWait(thread)) yield list.acquire;
  thread.spendCycles(Cost.STEP, 100);
  list.release(thread);
  // What one page costs of a batch: age, block, write out.
  for (const cost of [Cost.RECLAIM_SW, Cost.EBLOCK, Cost.EWB] as const) {
    yield* leaf(thread, cost);
    machine.catchUp(thread, domain);
  }
  while (lock.mustWait(thread)) yield lock.acquire;
  yield* leaf(thread, Cost.ELDU);
  if (thread.clock > thread.limit) yield thread.signalReading;
  machine.catchUp(thread, domain);
  (system.pte[domain] as Uint8Array)[page] = 1;
  lock.release(thread);
  yield* leaf(thread, Cost.ERESUME);
}

function* leaf(thread: MachineThread, cost: (typeof Cost)[keyof typeof Cost]): Routine<void> {
  if (thread.spend(cost) > thread.limit) yield thread.signalReading;
}

function* program(system: System, thread: MachineThread, faults: number): Routine<void> {
  const domain = system.enclaveOf(thread.cpu);
  const pte = system.pte[domain] as Uint8Array;
  const entry = 8000;
  let page = thread.cpu * 7;
  for (let i = 0; i < faults; i++) {
    for (let left = HITS; left > 0; ) {
      if (thread.clock > thread.limit) {
        thread.promiseQuiet(domain, thread.clock + entry);
        yield thread.signalReading;
      }
      page = (page + 1) % PAGES;
      pte[page] = 1;
      thread.spendCycles(Cost.COMPUTE, RUN);
      left -= RUN;
    }
    thread.promiseQuiet(domain, thread.clock + entry);
    yield* fault(system, thread, page);
  }
}

function run(cpuCount: number, isShared: boolean, isStrict: boolean, faults: number) {
  const machine = createMachine({
    cpus: Array.from({ length: cpuCount }, () => ({ node: 0 })),
    costs: createCostTable(),
    timed: { isStrict },
  });
  const enclaves = isShared ? 1 : cpuCount;
  const system: System = {
    machine,
    mm: Array.from({ length: enclaves }, () => machine.mutex('enclave')),
    list: machine.spinLock('list'),
    pte: Array.from({ length: enclaves }, () => new Uint8Array(PAGES)),
    enclaveOf: (cpu) => (isShared ? 0 : cpu),
  };
  const each = Math.ceil(faults / cpuCount);
  for (let cpu = 0; cpu < cpuCount; cpu++) {
    const thread = machine.createThread({ name: `cpu ${cpu}`, cpu });
    machine.start(thread, program(system, thread, each));
  }
  const before = process.cpuUsage();
  machine.runTimed();
  const { user, system: kernel } = process.cpuUsage(before);
  const { entries, catchUps } = machine.schedulerCounts;
  return { nanos: (user + kernel) * 1000, entries, catchUps, faults: each * cpuCount };
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] as number;
}

const FAULTS = 60_000;
console.log(
  `timed world: ${FAULTS} faults of ${HITS} hits each, medians of 7 interleaved rounds, processor time`,
);
const cases = [1, 4, 16, 64].flatMap((cpus) =>
  [false, true].flatMap((isShared) => [false, true].map((isStrict) => ({ cpus, isShared, isStrict }))),
);
const samples = cases.map(() => [] as ReturnType<typeof run>[]);
for (let round = 0; round < 8; round++) {
  cases.forEach(({ cpus, isShared, isStrict }, i) => {
    const faults = isStrict ? FAULTS / 10 : FAULTS;
    if (isStrict && round > 2) return;
    const sample = run(cpus, isShared, isStrict, faults);
    if (round > 0) samples[i]?.push(sample);
  });
}
console.table(
  cases.map(({ cpus, isShared, isStrict }, i) => {
    const all = samples[i] ?? [];
    const [first] = all as [ReturnType<typeof run>];
    const nanos = median(all.map((sample) => sample.nanos));
    return {
      cpus,
      enclaves: isShared ? 'one shared' : 'one each',
      mode: isStrict ? 'strict' : 'look-ahead',
      'entries per fault': Number((first.entries / first.faults).toFixed(2)),
      'catch-ups per fault': Number((first.catchUps / first.faults).toFixed(2)),
      'ns per entry': first.entries < first.faults ? '–' : Math.round(nanos / first.entries),
      'ns per fault': Math.round(nanos / first.faults),
      'faults per second': Math.round((first.faults * 1e9) / nanos),
    };
  }),
);
