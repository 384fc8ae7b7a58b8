import { MisuseError } from '@epckit/interface';
import type { SchedulerCounts, TimedOptions } from '@epckit/machine';
import { createWriteBack } from '@epckit/paging';
import type { BatchComponents } from '@epckit/reclaim/recipes';
import { Batch } from '@epckit/reclaim/recipes';
import type { Epc } from '../create-epc.js';
import { createEpc } from '../create-epc.js';
import type { Preset } from '../presets.js';
import { presets } from '../presets.js';
import { costTableOf } from './costs.js';
import { RunCounters } from './counters.js';
import { EventCounters } from './event-counters.js';
import type { RunEventListener } from './events.js';
import { GroupCounters } from './group-counters.js';
import { observeBatch, observeIpi } from './observe.js';
import { Operator } from './operator.js';
import { Program } from './program.js';
import type { RunReport } from './report.js';
import { requireExactCycles, requireRunLimits } from './run-limits.js';
import { reportOf } from './run-report.js';
import type { RunProgress, Scenario, ScenarioEnclave, TraceColumns } from './scenario.js';
import { cgroupSettings } from './scenario-groups.js';
import { GuestCounters } from './vms/guest-counters.js';
import type { VmRun } from './vms/vm-run.js';
import { startVms } from './vms/vm-run.js';

/** What a run may be told besides the scenario. */
export interface RunOptions {
  /** Called about a thousand times with references done and in all. */
  readonly onProgress?: RunProgress;
  /** Called for every event of the run; slows it down. */
  readonly onEvent?: RunEventListener;
  /** How the timed world runs; goes before what the scenario says. */
  readonly timed?: TimedOptions;
  /** Called when all programs have ended, such as to look at invariants; must not change anything. */
  readonly onFinished?: (epc: Epc) => void;
  /** Told at the end what simulating has taken, which is no result. */
  readonly onScheduled?: (counts: SchedulerCounts) => void;
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
  const epc = createScenarioEpc(scenario, counters, options);
  counters.stack = epc;
  epc.boot();
  const operator = createOperator(scenario, epc, counters);
  const progress = new Progress(scenario, traces, options.onProgress);
  const vms = createVms(scenario, traces, { epc, counters, progress });
  const programs = scenario.enclaves.map((settings) => {
    const names = [settings.trace, ...(settings.moreThreads ?? []).map(({ trace }) => trace)];
    const columns = names.map((name) => traceOf(traces, name));
    const program = new Program(epc, settings, columns, (done) => progress.add(done), counters);
    program.mayFail = operator !== null;
    return program;
  });
  for (const { enclave, name } of programs) events?.enclaveNames.set(enclave.id, name);
  const began = beginRun(scenario, epc, { programs, vms }, counters);
  for (const [index, program] of programs.entries()) {
    const settings = scenario.enclaves[index] as ScenarioEnclave;
    const { startCycles = 0, enterCycles = 0, moreThreads = [], stopCycles = null } = settings;
    const { horizonCycles = null } = scenario;
    program.began = began;
    program.stopAt = began + Math.min(horizonCycles ?? Infinity, stopCycles ?? Infinity);
    for (const [place, member] of program.threads.entries()) {
      const enter = place === 0 ? enterCycles : (moreThreads[place - 1]?.startCycles ?? 0);
      epc.machine.start(member.thread, program.main(member, began + startCycles, began + enter));
    }
  }
  for (const vm of vms) vm.start(began, scenario.horizonCycles ?? Number.POSITIVE_INFINITY);
  if (operator !== null) operator.start(began);
  epc.machine.runTimed();
  for (const { clock } of epc.machine.threads) requireExactCycles(clock);
  progress.finish();
  options.onScheduled?.(epc.machine.schedulerCounts);
  options.onFinished?.(epc);
  return reportOf({ scenario, traces, counters, epc, programs, vms, began });
}

/** Makes the cgroups of a scenario, if it has any. */
function createOperator(scenario: Scenario, epc: Epc, counters: RunCounters): Operator | null {
  const { cgroups: settings = null } = scenario;
  if (settings === null || epc.cgroups === null) return null;
  counters.groups = new GroupCounters(epc.cgroups, epc.frames.pageCount);
  return new Operator(epc, epc.cgroups, settings);
}

/** Makes the virtual machines of a scenario, if it has any; they are up then. */
function createVms(
  { vms = [] }: Scenario,
  traces: ReadonlyMap<string, TraceColumns>,
  {
    epc,
    counters,
    progress,
  }: { readonly epc: Epc; readonly counters: RunCounters; readonly progress: Progress },
): readonly VmRun[] {
  if (vms.length === 0) return [];
  const guests = new GuestCounters(epc.frames);
  counters.guests = guests;
  const onProgress = (done: number) => progress.add(done);
  return startVms(epc, vms, (name) => traceOf(traces, name), { counters: guests, onProgress });
}

/** Builds what is no part of the run; then time begins for all threads at once. @returns that time */
function beginRun(
  scenario: Scenario,
  epc: Epc,
  { programs, vms }: { readonly programs: readonly Program[]; readonly vms: readonly VmRun[] },
  counters: RunCounters,
): number {
  const { machine } = epc;
  const built = programs.filter((_, index) => scenario.enclaves[index]?.buildCost === false);
  for (const program of built) machine.run(program.thread, program.prepare());
  for (const vm of vms) vm.prepare();
  const daemonClocks = epc.daemons.map(({ clock }) => clock);
  const guestClocks = vms.flatMap(({ threads }) => threads.map(({ clock }) => clock));
  const began = Math.max(...daemonClocks, ...built.map(({ thread }) => thread.clock), ...guestClocks);
  for (const thread of machine.threads) thread.startAt(began);
  for (const program of built) program.forgetBuilding();
  counters.begin(began, epc.pools.free);
  return began;
}

function createScenarioEpc(scenario: Scenario, probe: RunCounters, options: RunOptions): Epc {
  const { machine, allocator, costs, preset, cgroups = null } = scenario;
  const { cpus, sections, distances = null, sliceCycles } = machine;
  const { policy: _secondChance, ...reclaim } = scenario.reclaim;
  const { hostReclaim = null } = scenario;
  const recipes: Preset = presets[preset];
  return createEpc({
    ...recipes,
    ...(options.onEvent === undefined ? {} : observedRecipes(recipes, probe)),
    machine: { cpus, sections, ...(distances === null ? {} : { distances }) },
    timed: { ...(sliceCycles === undefined ? {} : { sliceCycles }), ...options.timed },
    ...(allocator?.fallback === undefined ? {} : { fallback: allocator.fallback }),
    probe,
    costs: costTableOf(costs),
    hasTrappedIpis: costs.ipi === 'trapped',
    ...(hostReclaim === null ? {} : { guestReclaim: hostReclaim }),
    guestVersionArrays: scenario.hostVersionArrays ?? 'fixed',
    reclaim,
    ...(cgroups === null ? {} : { cgroups: cgroupSettings(preset, cgroups) }),
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
  for (const enclave of (scenario.vms ?? []).flatMap((vm) => vm.enclaves)) {
    const { trace, runs, repeat, deal, vcpus, moreThreads = [] } = enclave;
    const copies = deal === 'copies' ? vcpus.length : 1;
    sum += referencesOf(traceOf(traces, trace), runs) * repeat * copies;
    for (const thread of moreThreads) sum += referencesOf(traceOf(traces, thread.trace), runs) * repeat;
  }
  for (const { trace, runs, repeat, deal, moreCpus = [], moreThreads = [] } of scenario.enclaves) {
    const copies = deal === 'copies' ? 1 + moreCpus.length : 1;
    sum += referencesOf(traceOf(traces, trace), runs) * repeat * copies;
    for (const thread of moreThreads) sum += referencesOf(traceOf(traces, thread.trace), runs) * repeat;
  }
  return sum;
}

function referencesOf({ count, length }: TraceColumns, runs: number | null): number {
  const end = Math.min(runs ?? length, length);
  let references = 0;
  for (let i = 0; i < end; i++) references += count[i] as number;
  return references;
}
