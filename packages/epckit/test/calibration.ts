import { generateCyclicScan, generateUniform } from '@epckit/trace';
import type { CostPresetName, RunReport, Scenario, ScenarioEnclave, TraceColumns } from '../src/index.js';
import { runScenario } from '../src/index.js';

/** A published observation beside what a simulated run of the same experiment takes. Times: µs per page or fault. */
interface CalibrationRow {
  /** What was measured. */
  readonly experiment: string;
  /** On what. */
  readonly machine: string;
  /** Which time. */
  readonly time: 'elapsed' | 'kernel';
  /** Middle of the observation. */
  readonly observed: number;
  /** Outcome of the run. */
  readonly simulated: number;
  /** Must the run agree? If not, the README says why. */
  readonly isRequired: boolean;
}

/** Part of a machine that an experiment chooses. */
interface Part {
  readonly table: CostPresetName;
  readonly clockGhz: number;
  readonly epcPages: number;
  /** Low and high mark; 0: the daemon never wakes. */
  readonly marks: readonly [number, number];
}

/** Client parts have 23,936 pages. Per-page costs of an EPC that is full do not depend on its size. */
const SMALL_EPC = 2048;
const LINUX_MARKS = [32, 64] as const;
const NO_DAEMON = [0, 0] as const;

/** All observations, each with its run. */
export function calibrate(): readonly CalibrationRow[] {
  const server = buildTimes(
    { table: 'server', clockGhz: 3.2, epcPages: 16_384, marks: LINUX_MARKS },
    4096,
    12_288,
  );
  const client = { table: 'client', clockGhz: 3.8, epcPages: SMALL_EPC } as const;
  const roomy = buildTimes({ ...client, epcPages: 23_936, marks: LINUX_MARKS }, 2560, 10_240);
  const full = buildTimes({ ...client, marks: NO_DAEMON }, 4000, 9000);
  const helped = buildTimes({ ...client, marks: LINUX_MARKS }, 4000, 9000);
  const thrashing = {
    machine: 'SGX1, 3.5 GHz assumed',
    time: 'elapsed',
    observed: 16.15,
    isRequired: true,
  } as const;
  return [
    { ...thrashing, experiment: 'fault, random pages of 2 × EPC', simulated: faultTime(generateUniform, 2) },
    {
      ...thrashing,
      experiment: 'fault, cyclic scan of 2 × EPC',
      simulated: faultTime(generateCyclicScan, 1),
    },
    ...rowsOf('page built, EPC with room', 'Xeon Gold 5315Y', [7.1, 4.63], server),
    ...rowsOf('page built, EPC with room', 'Xeon E-2276G', [9.59, 6.79], roomy),
    ...rowsOf('page built, EPC full', 'Xeon E-2276G', [20.47, 14.83], full),
    ...rowsOf('eviction, from the two above', 'Xeon E-2276G', [10.88, 8.04], minus(full, roomy), 'kernel'),
    ...rowsOf('page built, EPC full, ksgxd beside', 'Xeon E-2276G', [20.47, 14.83], helped, 'none'),
  ];
}

/** Difference between outcome and observation, as part of the observation. */
export function deviationOf({ observed, simulated }: CalibrationRow): number {
  return simulated / observed - 1;
}

/** Elapsed and kernel time, µs per page. */
type Times = readonly [elapsed: number, kernel: number];

function minus(a: Times, b: Times): Times {
  return [a[0] - b[0], a[1] - b[1]];
}

function rowsOf(
  experiment: string,
  machine: string,
  observed: Times,
  simulated: Times,
  required: 'both' | 'kernel' | 'none' = 'both',
): CalibrationRow[] {
  return (['elapsed', 'kernel'] as const).map((time, i) => ({
    experiment,
    machine,
    time,
    observed: observed[i] as number,
    simulated: simulated[i] as number,
    isRequired: required === 'both' || required === time,
  }));
}

/**
 * Elapsed time per fault of one thread whose working set is twice the EPC; the daemon has a CPU of its own. The
 * difference of two runs: their warm-up is the same.
 *
 * @param perFault references per fault, about
 */
function faultTime(generate: typeof generateUniform | typeof generateCyclicScan, perFault: number): number {
  const part: Part = { table: 'client', clockGhz: 3.5, epcPages: SMALL_EPC, marks: LINUX_MARKS };
  const trace = generate({
    runCount: 12_000 * perFault,
    pageCount: 2 * SMALL_EPC,
    writeShare: 0.3,
    seed: 1,
  });
  const [short, long] = [5000, 12_000].map((faults) =>
    runScenario(scenarioOf(part, { runs: faults * perFault, buildCost: false }), new Map([['trace', trace]])),
  ) as [RunReport, RunReport];
  const cycles = long.total.elapsedCycles - short.total.elapsedCycles;
  return cycles / (long.total.eldu - short.total.eldu) / (part.clockGhz * 1000);
}

/**
 * Times per page of building an enclave and giving it back: the slope between two sizes. Kernel time is all but the
 * loader's own; who waits for a mutex spins, as in Linux while its holder runs.
 */
function buildTimes(part: Part, fewPages: number, manyPages: number): Times {
  const [few, many] = [fewPages, manyPages].map((pageCount) => {
    const report = runScenario(scenarioOf(part, {}), new Map([['trace', onePageOf(pageCount)]]));
    const { cyclesByCause } = report.enclaves[0] as RunReport['enclaves'][number];
    const cycles = Object.values(cyclesByCause).reduce((sum, cause) => sum + cause, 0);
    return [cycles, cycles - (cyclesByCause['ADD_USER'] ?? 0)] as const;
  }) as [Times, Times];
  const cyclesPerMicro = part.clockGhz * 1000 * (manyPages - fewPages);
  const [elapsed, kernel] = minus(many, few);
  return [elapsed / cyclesPerMicro, kernel / cyclesPerMicro];
}

/** An enclave of so many pages, of which one is read. */
function onePageOf(pageCount: number): TraceColumns {
  return {
    length: 1,
    page: Uint32Array.of(0),
    type: Uint8Array.of(0),
    count: Uint32Array.of(1),
    pageNumber: Float64Array.from({ length: pageCount }, (_, page) => page),
  };
}

function scenarioOf(part: Part, settings: Partial<ScenarioEnclave>): Scenario {
  const [lowPages, highPages] = part.marks;
  return {
    name: 'calibration',
    preset: 'linux-6',
    machine: { cpus: [{ node: 0 }], sections: [{ node: 0, pageCount: part.epcPages }] },
    reclaim: { batchPages: 16, lowPages, highPages, policy: 'second-chance' },
    costs: { table: part.table, overrides: {}, clockGhz: part.clockGhz },
    enclaves: [{ name: 'A', trace: 'trace', cpu: 0, runs: null, repeat: 1, measured: false, ...settings }],
    seed: 1,
  };
}

const header = ['observation', 'machine', 'time', 'observed, µs', 'simulated, µs', 'deviation'] as const;

/** Lines of a Markdown table. */
export function tableOf(rows: readonly CalibrationRow[]): readonly string[] {
  const cells = rows.map((row) => {
    const percent = Math.round(deviationOf(row) * 100);
    const deviation = `${percent < 0 ? '−' : '+'}${Math.abs(percent)} %${row.isRequired ? '' : ' ¹'}`;
    return [
      row.experiment,
      row.machine,
      row.time,
      row.observed.toFixed(2),
      row.simulated.toFixed(2),
      deviation,
    ];
  });
  const widths = header.map((name, i) =>
    Math.max(name.length, ...cells.map((line) => (line[i] as string).length)),
  );
  const isNumber = (column: number): boolean => column >= 3;
  const lineOf = (line: readonly string[]): string =>
    `| ${line.map((cell, i) => (isNumber(i) ? cell.padStart(widths[i] as number) : cell.padEnd(widths[i] as number))).join(' | ')} |`;
  const rule = widths.map((width, i) => (isNumber(i) ? `${'-'.repeat(width - 1)}:` : '-'.repeat(width)));
  return [lineOf(header), lineOf(rule), ...cells.map(lineOf)];
}
