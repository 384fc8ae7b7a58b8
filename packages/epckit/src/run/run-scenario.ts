import { MisuseError } from '@epckit/interface';
import { costPresets, createCostTable } from '@epckit/machine';
import { createWriteBack } from '@epckit/paging';
import type { BatchComponents } from '@epckit/reclaim/recipes';
import { Batch } from '@epckit/reclaim/recipes';
import type { Epc } from '../create-epc.js';
import { createEpc } from '../create-epc.js';
import type { Preset } from '../presets.js';
import { presets } from '../presets.js';
import { RunCounters } from './counters.js';
import { EventCounters } from './event-counters.js';
import type { RunEventListener } from './events.js';
import { observeBatch, observeIpi } from './observe.js';
import { Program } from './program.js';
import type { RunReport } from './report.js';
import { requireExactCycles, requireRunLimits } from './run-limits.js';
import { reportOf } from './run-report.js';
import type { RunProgress, Scenario, TraceColumns } from './scenario.js';

/** What a run may be told besides the scenario. */
export interface RunOptions {
  /** Called about a thousand times with references done and in all. */
  readonly onProgress?: RunProgress;
  /** Called for every event of the run; slows it down. */
  readonly onEvent?: RunEventListener;
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
  const { onEvent } = options;
  const events = onEvent === undefined ? null : new EventCounters(onEvent);
  const counters = events ?? new RunCounters();
  const epc = createScenarioEpc(scenario, counters, events !== null);
  counters.stack = epc;
  epc.boot();
  const progress = new Progress(scenario, traces, options.onProgress);
  const programs = scenario.enclaves.map((settings) => {
    const trace = traceOf(traces, settings.trace);
    return new Program(epc, settings, trace, (done) => progress.add(done), counters);
  });
  for (const { enclave, name } of programs) events?.enclaveNames.set(enclave.id, name);
  const began = beginRun(scenario, epc, programs, counters);
  for (const [index, program] of programs.entries()) {
    const start = began + (scenario.enclaves[index]?.startCycles ?? 0);
    if (typeof scenario.horizonCycles === 'number') program.stopAt = began + scenario.horizonCycles;
    for (const member of program.threads) epc.machine.start(member.thread, program.main(member, start));
  }
  epc.machine.runTimed();
  for (const { clock } of epc.machine.threads) requireExactCycles(clock);
  progress.finish();
  return reportOf({ scenario, traces, counters, epc, programs, began });
}

/** Builds what is no part of the run; then time begins for all threads at once. @returns that time */
function beginRun(scenario: Scenario, epc: Epc, programs: readonly Program[], counters: RunCounters): number {
  const { machine } = epc;
  const built = programs.filter((_, index) => scenario.enclaves[index]?.buildCost === false);
  for (const program of built) machine.run(program.thread, program.construct());
  const began = Math.max(epc.ksgxd.clock, ...built.map(({ thread }) => thread.clock));
  for (const thread of machine.threads) thread.startAt(began);
  for (const program of built) program.forgetBuilding();
  counters.begin(began, epc.pools.free);
  return began;
}

function createScenarioEpc(scenario: Scenario, probe: RunCounters, isObserved: boolean): Epc {
  const { machine, reclaim, costs, preset } = scenario;
  const { batchPages, lowPages, highPages } = reclaim;
  const recipes: Preset = presets[preset];
  return createEpc({
    ...recipes,
    ...(isObserved ? observedRecipes(recipes, probe) : {}),
    machine,
    probe,
    costs: createCostTable(costPresets[costs.table], costs.overrides),
    reclaim: { batchPages, lowPages, highPages },
  });
}

/** The recipes of a preset, with begin and end of batches and IPI rounds told to `counters`. */
function observedRecipes({ batch, paging }: Preset, counters: RunCounters): Preset {
  const makeBatch = batch ?? ((components: BatchComponents) => new Batch(components));
  const makeWriteBack = paging?.writeBack ?? createWriteBack;
  return {
    batch: (components) => observeBatch(makeBatch(components), counters),
    paging: {
      ...paging,
      writeBack: (components) => makeWriteBack({ ...components, ipi: observeIpi(components.ipi, counters) }),
    },
  };
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
  for (const { trace, runs, repeat, deal, moreCpus } of scenario.enclaves) {
    const columns = traceOf(traces, trace);
    const end = Math.min(runs ?? columns.length, columns.length);
    let references = 0;
    for (let i = 0; i < end; i++) references += columns.count[i] as number;
    const copies = deal === 'copies' ? 1 + (moreCpus?.length ?? 0) : 1;
    sum += references * repeat * copies;
  }
  return sum;
}
