import type { Engine } from '../engine.js';
import { ExitCode, type ExitCodeValue } from '../exit-code.js';
import type { CliIo } from '../io.js';
import { reportError } from '../report-error.js';
import { checkScript, describeResult } from './check-script.js';
import { loadScript } from './load-script.js';
import { type LoadedScript, replaySteps } from './replay-steps.js';

/** Options of `epckit replay`. */
export interface ReplayOptions {
  /** Compare with the records in the scripts. */
  readonly check?: boolean;
  /** Only what fails, and the closing line. */
  readonly quiet?: boolean;
}

/**
 * `epckit replay`: drives the model through scripts, and prints or checks what every step did.
 *
 * With `--check` one bad script does not end the others: its error is reported where its result would be, and
 * the exit code tells of the worst. Without, all scripts are read and checked before the first is replayed. An
 * operation that is not supported is a failure, never skipped.
 *
 * @param argv - arguments of the command, for reports of a defect
 * @throws EpckitError for a file that is not a script, unless scripts are checked
 */
export async function replayCommand(
  paths: readonly string[],
  options: ReplayOptions,
  io: CliIo,
  engine: Engine,
  argv: readonly string[],
): Promise<ExitCodeValue> {
  const isQuiet = options.quiet === true;
  if (options.check === true) return checkAll(paths, isQuiet, io, engine, argv);
  const scripts: LoadedScript[] = [];
  for (const path of paths) scripts.push({ path, script: await loadScript(path, io.cwd, false) });
  return printAll(scripts, isQuiet, io, engine) ? ExitCode.FAILED : ExitCode.CLEAN;
}

/** Checks every script, also behind a failed one. @returns the worst exit code */
async function checkAll(
  paths: readonly string[],
  isQuiet: boolean,
  io: CliIo,
  engine: Engine,
  argv: readonly string[],
): Promise<ExitCodeValue> {
  let stepCount = 0;
  let failedCount = 0;
  let uncheckedCount = 0;
  let worst: ExitCodeValue = ExitCode.CLEAN;
  const ended = (exitCode: ExitCodeValue): void => {
    if (exitCode > worst) worst = exitCode;
  };
  for (const path of paths) {
    try {
      const loaded = { path, script: await loadScript(path, io.cwd, true) };
      const result = checkScript(loaded, engine);
      stepCount += result.steps;
      if (result.outcome === 'ok' && isQuiet) continue;
      io.stdout.write(`${describeResult(loaded.script.name, result)}\n`);
      if (result.outcome === 'ok') continue;
      failedCount++;
      ended(ExitCode.FAILED);
    } catch (error) {
      uncheckedCount++;
      ended(reportError(error, argv, io));
    }
  }
  const okCount = paths.length - failedCount - uncheckedCount;
  const unchecked = uncheckedCount === 0 ? '' : `, ${uncheckedCount} not checked`;
  io.stdout.write(
    `${countOf(paths.length)}: ${okCount} ok, ${failedCount} failed${unchecked}; ${stepCount} steps compared\n`,
  );
  return worst;
}

function countOf(scripts: number): string {
  return `${scripts} script${scripts === 1 ? '' : 's'}`;
}

/** Prints every step as one line of JSON; tells whether any was not supported. */
function printAll(scripts: readonly LoadedScript[], isQuiet: boolean, io: CliIo, engine: Engine): boolean {
  let stepCount = 0;
  let unsupportedCount = 0;
  for (const { script, replayed } of allSteps(scripts, engine)) {
    stepCount += 1;
    if (replayed.unsupported !== undefined) {
      unsupportedCount += 1;
      io.stderr.write(
        `epckit: ${script.name}: step ${replayed.index}: operation "${replayed.unsupported}" is not supported\n`,
      );
    }
    if (!isQuiet) io.stdout.write(`${JSON.stringify({ script: script.name, ...replayed })}\n`);
  }
  // Not among the lines of JSON, which another program may read.
  io.stderr.write(
    `${countOf(scripts.length)}: ${stepCount} steps replayed, ${unsupportedCount} not supported\n`,
  );
  return unsupportedCount > 0;
}

function* allSteps(scripts: readonly LoadedScript[], engine: Engine) {
  for (const loaded of scripts) {
    for (const replayed of replaySteps(loaded, engine)) yield { script: loaded.script, replayed };
  }
}
