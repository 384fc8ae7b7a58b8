/**
 * What simulating costs in the timed world of a whole stack: faults that load a page and evict another one, in an
 * enclave per CPU and in one enclave of all CPUs; and hits, against the direct world. Processor time, medians.
 *
 *     npx pnpm bench timed-faults
 */
import { Cost } from '@epckit/interface';
import { createCostTable, serverCosts } from '@epckit/machine';
import { generateCyclicScan, generateUniform } from '@epckit/trace';
import type { Epc, TraceColumns } from 'epckit';
import { createEpc, Program, presets } from 'epckit';

const ROUNDS = 3;
const FAULTS = 40_000;
/** Pages of an enclave per CPU in the runs with faults; half of them fit. */
const PAGES = 256;

interface Stack {
  readonly epc: Epc;
  readonly programs: readonly Program[];
}

/** An enclave per CPU, or one of all CPUs; built. */
function stackOf(
  cpus: number,
  isShared: boolean,
  epcPages: number,
  compute: number,
  trace: TraceColumns,
): Stack {
  const epc = createEpc({
    ...presets['linux-6'],
    machine: {
      cpus: Array.from({ length: cpus }, () => ({ node: 0 })),
      sections: [{ node: 0, pageCount: epcPages }],
    },
    costs: createCostTable(serverCosts, { COMPUTE: compute }),
  });
  epc.boot();
  const others = Array.from({ length: cpus - 1 }, (_, index) => index + 1);
  const programs = Array.from({ length: isShared ? 1 : cpus }, (_, cpu) => {
    const more = isShared ? ({ moreCpus: others, deal: 'slices' } as const) : {};
    const settings = {
      name: `enclave ${cpu}`,
      trace: '',
      runs: null,
      repeat: 1,
      cpu,
      measured: false,
      ...more,
    };
    return new Program(epc, settings, [trace], () => {});
  });
  for (const program of programs) {
    epc.machine.run(program.thread, program.construct());
    epc.machine.returnToUser();
  }
  return { epc, programs };
}

function processorNanos(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) * 1000;
}

/** All threads from one moment on, to their ends. */
function runTimed({ epc, programs }: Stack): number {
  const { machine } = epc;
  const began = Math.max(...machine.threads.map(({ clock }) => clock));
  for (const thread of machine.threads) thread.startAt(began);
  for (const program of programs)
    for (const member of program.threads) machine.start(member.thread, program.main(member, began));
  return processorNanos(() => machine.runTimed());
}

function countsOf({ machine }: Epc, key: number): number {
  return machine.threads.reduce((sum, { counts }) => sum + (counts[key] as number), 0);
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] as number;
}

/**
 * Every reference evicts a page and loads one: cyclic scans over twice what fits. A reference takes 100,000 cycles per
 * CPU, so that the one daemon keeps up however many CPUs there are, and few faults are repeated; `isSaturated`: 30,000,
 * the daemon is the bottleneck, and faults find no page.
 */
function faults(cpus: number, isShared: boolean, isSaturated: boolean) {
  const pageCount = isShared ? PAGES * cpus : PAGES;
  const runCount = Math.ceil(FAULTS / (isShared ? 1 : cpus));
  const trace = generateCyclicScan({ runCount, pageCount, writeShare: 0.3, seed: 3 });
  const compute = isSaturated ? 30_000 * cpus : 100_000 * cpus;
  const stack = stackOf(cpus, isShared, (PAGES * cpus) / 2 + 64, compute, trace);
  const nanos = runTimed(stack);
  const loads = countsOf(stack.epc, Cost.ELDU);
  const { entries, catchUps } = stack.epc.machine.schedulerCounts;
  return { nanos, loads, entries, catchUps, retries: countsOf(stack.epc, Cost.FAULT_KERNEL) - loads };
}

/** Nanoseconds per run of a trace whose pages all fit. */
function hits(cpus: number, isTimed: boolean): number {
  const trace = generateUniform({ runCount: 1_000_000, pageCount: 256, writeShare: 0.3, seed: 3 });
  const stack = stackOf(cpus, false, 300 * cpus + 256, 1, trace);
  const runs = cpus * trace.length;
  if (isTimed) return runTimed(stack) / runs;
  const { machine } = stack.epc;
  for (const { thread, threads } of stack.programs)
    machine.run(thread, (threads[0] as Program['threads'][0]).enter());
  const replayAll = (): void => {
    for (const program of stack.programs) machine.run(program.thread, program.replay());
  };
  return processorNanos(replayAll) / runs;
}

const cpuCounts = [1, 4, 16, 64];
const cases = [false, true].flatMap((isSaturated) =>
  (isSaturated ? [16] : cpuCounts).flatMap((cpus) =>
    [false, true].map((isShared) => ({ cpus, isShared, isSaturated })),
  ),
);
const samples = cases.map(() => [] as ReturnType<typeof faults>[]);
for (let round = 0; round <= ROUNDS; round++) {
  cases.forEach(({ cpus, isShared, isSaturated }, i) => {
    const sample = faults(cpus, isShared, isSaturated);
    if (round > 0) samples[i]?.push(sample);
  });
}
console.table(
  cases.map(({ cpus, isShared, isSaturated }, i) => {
    const all = samples[i] as ReturnType<typeof faults>[];
    const { loads, entries, catchUps, retries } = all[0] as ReturnType<typeof faults>;
    const nanos = median(all.map((sample) => sample.nanos));
    return {
      cpus,
      enclaves: isShared ? 'one shared' : 'one each',
      daemon: isSaturated ? 'is behind' : 'keeps up',
      faults: loads,
      'entries per fault': Number((entries / loads).toFixed(2)),
      'catch-ups per fault': Number((catchUps / loads).toFixed(2)),
      'retries per fault': Number((retries / loads).toFixed(3)),
      'ns per entry': Math.round(nanos / entries),
      'faults per second': Math.round((loads * 1e9) / nanos),
    };
  }),
);

for (const cpus of [1, 16]) {
  const timed: number[] = [];
  const direct: number[] = [];
  for (let round = 0; round <= ROUNDS; round++) {
    const pair = [hits(cpus, false), hits(cpus, true)] as const;
    if (round === 0) continue;
    direct.push(pair[0]);
    timed.push(pair[1]);
  }
  const [slow, fast] = [median(timed), median(direct)];
  console.log(
    `hits with ${cpus} CPUs: ${fast.toFixed(2)} ns per run direct, ${slow.toFixed(2)} timed, ${(slow / fast).toFixed(2)} x`,
  );
}
