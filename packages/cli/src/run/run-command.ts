import { resolve } from 'node:path';
import { EpckitError } from '@epckit/interface';
import type { RunProgress, RunReport, TraceColumns } from 'epckit';
import type { Engine } from '../engine.js';
import { ExitCode, type ExitCodeValue } from '../exit-code.js';
import type { CliIo } from '../io.js';
import { type LoadedScenario, loadScenario } from '../scenario/load-scenario.js';
import { checkEpcFits } from './epc-fit.js';
import { openJsonTarget } from './json-target.js';
import { loadTraces } from './load-traces.js';
import { createProgressLine } from './progress-line.js';
import { renderSummary } from './summary.js';

/** Options of `epckit run`. */
export interface RunOptions {
  /** File for the whole report. */
  readonly json?: string;
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
  const inputs = [
    resolve(io.cwd, path),
    ...loaded.scenario.enclaves.map(({ trace }) => resolve(loaded.folder, trace)),
  ];
  const target = options.json === undefined ? null : await openJsonTarget(options.json, io.cwd, inputs);
  const progress = createProgressLine(io.stderr, options.quiet === true);
  try {
    const traces = await loadTraces(loaded, io.cwd, (name) => progress.say(`reading ${name}`));
    checkEpcFits(loaded, traces);
    const report = replayTraces(path, loaded, traces, progress.advance, engine);
    await target?.write(report);
    progress.clear();
    if (options.quiet !== true) io.stdout.write(`${renderSummary(report)}\n`);
  } catch (error) {
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
  onProgress: RunProgress,
  engine: Engine,
): RunReport {
  try {
    return engine.run(loaded.scenario, traces, { onProgress });
  } catch (error) {
    throw atScenario(error, path, loaded);
  }
}

function atScenario(error: unknown, path: string, { scenario, source }: LoadedScenario): unknown {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return error;
  if (!error.code.startsWith('EPCKIT_')) return error;
  const { details, hint, enclave } = error as Partial<EpckitError> & { readonly enclave?: unknown };
  const index = scenario.enclaves.findIndex(({ name }) => name === enclave);
  const place = index < 0 ? path : source.locate(['enclaves', index]);
  return new EpckitError(error.code, `${place}: ${error.message}`, details ?? [], {
    ...(hint === undefined ? {} : { hint }),
    cause: error,
  });
}
