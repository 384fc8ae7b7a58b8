import { resolve } from 'node:path';
import { EpckitError } from '@epckit/interface';
import type { RunReport, TraceColumns } from 'epckit';
import type { Engine } from '../engine.js';
import { ExitCode, type ExitCodeValue } from '../exit-code.js';
import type { CliIo } from '../io.js';
import { type OutputFile, openOutputFile, requireDifferentFiles } from '../output-file.js';
import { type LoadedScenario, loadScenario } from '../scenario/load-scenario.js';
import { checkEpcFits } from './epc-fit.js';
import { createEventLog, type EventLog } from './event-log.js';
import { inputFiles, loadTraces } from './load-traces.js';
import { createProgressLine, type ProgressLine } from './progress-line.js';
import { renderSummary } from './summary.js';

/** Options of `epckit run`. */
export interface RunOptions {
  /** File for the whole report. */
  readonly json?: string;
  /** File for the events of the run. */
  readonly events?: string;
  /** Neither progress nor summary. */
  readonly quiet?: boolean;
}

/**
 * `epckit run`: replays the traces of a scenario, writes the report if asked to, and prints a summary.
 *
 * Nothing is written before everything that the user gave has been checked.
 *
 * @throws EpckitError for anything wrong with scenario, traces or output file
 */
export async function runCommand(
  path: string,
  options: RunOptions,
  io: CliIo,
  engine: Engine,
): Promise<ExitCodeValue> {
  const loaded = await loadScenario(path, io.cwd);
  const inputs = [resolve(io.cwd, path), ...inputFiles(loaded)];
  const open = async (name: string | undefined): Promise<OutputFile | null> =>
    name === undefined ? null : openOutputFile(name, io.cwd, inputs);
  const json = await open(options.json);
  const events = await open(options.events);
  requireDifferentFiles([json, events]);
  const progress = createProgressLine(io.stderr, options.quiet === true);
  let log: EventLog | null = null;
  try {
    const traces = await loadTraces(loaded, io.cwd, (name) => progress.say(`reading ${name}`));
    checkEpcFits(loaded, traces);
    if (events !== null) log = createEventLog(options.events as string, events.stream(), loaded.scenario);
    const report = replayTraces(path, loaded, traces, { progress, log }, engine);
    log?.end();
    await json?.writeJson(report);
    progress.clear();
    if (options.quiet !== true) io.stdout.write(`${renderSummary(report)}\n`);
  } catch (error) {
    log?.discard();
    progress.clear();
    throw error;
  }
  return ExitCode.CLEAN;
}

/** Runs the scenario; an error of the model gets the place of its enclave in front, or the file if it has none. */
function replayTraces(
  path: string,
  loaded: LoadedScenario,
  traces: ReadonlyMap<string, TraceColumns>,
  listeners: { readonly progress: ProgressLine; readonly log: EventLog | null },
  engine: Engine,
): RunReport {
  const { progress, log } = listeners;
  try {
    return engine.run(loaded.scenario, traces, {
      onProgress: (done, total) => progress.advance(done, total),
      ...(log === null ? {} : { onEvent: (event) => log.add(event) }),
    });
  } catch (error) {
    throw atScenario(error, path, loaded);
  }
}

/** An error of the model with the place in the scenario in front. */
export function atScenario(
  error: unknown,
  path: string,
  { scenario, source, entries, vmEntries }: LoadedScenario,
): unknown {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return error;
  if (!error.code.startsWith('EPCKIT_')) return error;
  const { details, hint, enclave } = error as Partial<EpckitError> & { readonly enclave?: unknown };
  const index = scenario.enclaves.findIndex(({ name }) => name === enclave);
  const vm = (scenario.vms ?? []).findIndex(({ name }) => name === enclave);
  const vmPlace = vm < 0 ? path : source.locate(['vms', vmEntries[vm] as number]);
  const place = index < 0 ? vmPlace : source.locate(['enclaves', entries[index] as number]);
  return new EpckitError(error.code, `${place}: ${error.message}`, details ?? [], {
    ...(hint === undefined ? {} : { hint }),
    cause: error,
  });
}
