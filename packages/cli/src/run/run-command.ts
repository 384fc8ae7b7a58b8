import { resolve } from 'node:path';
import type { Engine } from '../engine.js';
import { ExitCode, type ExitCodeValue } from '../exit-code.js';
import type { CliIo } from '../io.js';
import { loadScenario } from '../scenario/load-scenario.js';
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
    const report = engine.run(loaded.scenario, traces, { onProgress: progress.advance });
    await target?.write(report);
    progress.clear();
    if (options.quiet !== true) io.stdout.write(`${renderSummary(report)}\n`);
  } catch (error) {
    progress.clear();
    throw error;
  }
  return ExitCode.CLEAN;
}
