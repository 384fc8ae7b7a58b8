import { costNames, MisuseError } from '@epckit/interface';
import type { MachineThread } from '@epckit/machine';
import { costPresets, createCostTable } from '@epckit/machine';
import type { Epc } from '../create-epc.js';
import { createEpc } from '../create-epc.js';
import { presets } from '../presets.js';
import { RunCounters } from './counters.js';
import { Program } from './program.js';
import { requireExactCycles, requireRunLimits } from './run-limits.js';
import type { EnclaveReport, RunCounts, RunProgress, RunReport, Scenario, TraceColumns } from './scenario.js';
import { packageVersions } from './versions.js';

/** What a run may be told besides the scenario. */
export interface RunOptions {
  /** Called about a thousand times with references done and in all. */
  readonly onProgress?: RunProgress;
}

/**
 * Runs a scenario in the timed world: every enclave is built, replays its trace and is released, while the
 * daemon reclaims on a CPU of its own.
 *
 * @param traces columns by the name that the scenario's enclaves use
 * @throws MisuseError if a trace is missing, a value is above `runLimits`, or the run is longer than 2^53 cycles
 * @throws RunFailure if the EPC is too small for a program to run
 */
export function runScenario(
  scenario: Scenario,
  traces: ReadonlyMap<string, TraceColumns>,
  options: RunOptions = {},
): RunReport {
  requireRunLimits(scenario);
  const counters = new RunCounters();
  const epc = createScenarioEpc(scenario, counters);
  counters.frames = epc.frames;
  epc.boot();
  const bootedAt = epc.ksgxd.clock;
  for (const thread of epc.machine.threads) thread.startAt(bootedAt);
  const progress = new Progress(scenario, traces, options.onProgress);
  const programs = scenario.enclaves.map((settings) => {
    const program = new Program(epc, settings, traceOf(traces, settings.trace), (done) => progress.add(done));
    epc.machine.start((epc.cpus[settings.cpu] as Epc['cpus'][number]).thread, program.main());
    return program;
  });
  epc.machine.runTimed();
  for (const { clock } of epc.machine.threads) requireExactCycles(clock);
  progress.finish();
  return report({ scenario, traces, counters, epc, programs, bootedAt });
}

function createScenarioEpc(scenario: Scenario, probe: RunCounters): Epc {
  const { machine, reclaim, costs, preset } = scenario;
  const { batchPages, lowPages, highPages } = reclaim;
  return createEpc({
    ...presets[preset],
    machine,
    probe,
    costs: createCostTable(costPresets[costs.table], costs.overrides),
    reclaim: { batchPages, lowPages, highPages },
  });
}

function traceOf(traces: ReadonlyMap<string, TraceColumns>, name: string): TraceColumns {
  const trace = traces.get(name);
  if (trace === undefined)
    throw new MisuseError(`There is no trace '${name}'.`, [`given: ${[...traces.keys()].join(', ')}`]);
  return trace;
}

/** Passes progress on about a thousand times. */
class Progress {
  readonly #listener: RunProgress | undefined;
  readonly #total: number;
  #done = 0;
  #shown = 0;

  constructor(
    scenario: Scenario,
    traces: ReadonlyMap<string, TraceColumns>,
    listener: RunProgress | undefined,
  ) {
    this.#listener = listener;
    this.#total = listener === undefined ? 0 : referencesIn(scenario, traces);
  }

  add(references: number): void {
    this.#done += references;
    if (this.#listener === undefined || this.#done - this.#shown < this.#total / 1000) return;
    this.#shown = this.#done;
    this.#listener(this.#done, this.#total);
  }

  finish(): void {
    this.#listener?.(this.#total, this.#total);
  }
}

function referencesIn(scenario: Scenario, traces: ReadonlyMap<string, TraceColumns>): number {
  let sum = 0;
  for (const { trace, runs, repeat } of scenario.enclaves) {
    const columns = traceOf(traces, trace);
    const end = Math.min(runs ?? columns.length, columns.length);
    let references = 0;
    for (let i = 0; i < end; i++) references += columns.count[i] as number;
    sum += references * repeat;
  }
  return sum;
}

interface Finished {
  readonly scenario: Scenario;
  readonly traces: ReadonlyMap<string, TraceColumns>;
  readonly counters: RunCounters;
  readonly epc: Epc;
  readonly programs: readonly Program[];
  readonly bootedAt: number;
}

function report(finished: Finished): RunReport {
  const { scenario, traces, counters, epc, programs, bootedAt } = finished;
  const enclaves = scenario.enclaves.map((settings, i) => {
    return enclaveReport(finished, settings.name, settings.cpu, programs[i] as Program);
  });
  const sum = (of: (enclave: EnclaveReport) => number): number =>
    enclaves.reduce((all, one) => all + of(one), 0);
  return {
    format: 'epckit-run-1',
    versions: packageVersions(),
    seed: scenario.seed,
    scenario,
    traces: Object.fromEntries([...traces].map(([name, trace]) => [name, factsOf(trace)])),
    total: {
      ...countsOf(
        counters.total,
        sum((enclave) => enclave.accesses),
      ),
      ipiRounds: epc.ipi.rounds,
      ipiInterruptedCpus: epc.ipi.interruptedCpus,
      ksgxdWakeups: counters.ksgxdWakeups,
      ksgxdBatches: counters.ksgxdBatches,
      directReclaims: counters.directReclaims,
      vaPages: sum((enclave) => enclave.vaPages),
      epcPages: epc.frames.pageCount,
      peakEpcPages: counters.total.peakEpcPages,
      elapsedCycles: Math.max(...programs.map((program) => program.times.ended)) - bootedAt,
    },
    enclaves,
    ksgxd: { cyclesByCause: cyclesByCause(epc.ksgxd) },
  };
}

function enclaveReport(
  { counters, epc, bootedAt }: Finished,
  name: string,
  cpu: number,
  program: Program,
): EnclaveReport {
  const tally = counters.of(program.enclave.id);
  const { built, ended } = program.times;
  return {
    name,
    ...countsOf(tally, program.accesses),
    pages: program.pageCount,
    vaPages: program.vaPages,
    peakEpcPages: tally.peakEpcPages,
    runCycles: ended - built,
    buildCycles: built - bootedAt,
    cyclesByCause: cyclesByCause((epc.cpus[cpu] as Epc['cpus'][number]).thread),
  };
}

/** The counts without the bookkeeping fields of a tally. */
function countsOf(
  tally: RunCounts & { epcPages: number; peakEpcPages: number },
  accesses: number,
): RunCounts {
  const { epcPages: _now, peakEpcPages: _peak, ...counts } = tally;
  return { ...counts, accesses };
}

function factsOf(trace: TraceColumns): { runs: number; uniquePages: number } {
  return { runs: trace.length, uniquePages: trace.pageNumber.length };
}

/** Cycles by cost name, zeros left out. */
function cyclesByCause(thread: MachineThread): Record<string, number> {
  const causes: Record<string, number> = {};
  costNames.forEach((name, key) => {
    const cycles = thread.cycles[key] as number;
    if (cycles > 0) causes[name] = cycles;
  });
  return causes;
}
