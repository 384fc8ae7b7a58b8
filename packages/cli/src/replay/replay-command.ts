import type { Engine } from '../engine.js';
import { ExitCode, type ExitCodeValue } from '../exit-code.js';
import type { CliIo } from '../io.js';
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
 * All scripts are read and checked before the first is replayed. An operation that is not supported is a
 * failure, never skipped.
 *
 * @throws EpckitError for a file that is not a script
 */
export async function replayCommand(
  paths: readonly string[],
  options: ReplayOptions,
  io: CliIo,
  engine: Engine,
): Promise<ExitCodeValue> {
  const scripts: LoadedScript[] = [];
  for (const path of paths) {
    scripts.push({ path, script: await loadScript(path, io.cwd, options.check === true) });
  }
  const isQuiet = options.quiet === true;
  const failed = options.check
    ? checkAll(scripts, isQuiet, io, engine)
    : printAll(scripts, isQuiet, io, engine);
  return failed ? ExitCode.FAILED : ExitCode.CLEAN;
}

/** Checks every script, also behind a failed one; tells whether any failed. */
function checkAll(scripts: readonly LoadedScript[], isQuiet: boolean, io: CliIo, engine: Engine): boolean {
  let stepCount = 0;
  let failedCount = 0;
  for (const loaded of scripts) {
    const result = checkScript(loaded, engine);
    stepCount += result.steps;
    if (result.outcome !== 'ok') failedCount += 1;
    if (result.outcome !== 'ok' || !isQuiet)
      io.stdout.write(`${describeResult(loaded.script.name, result)}\n`);
  }
  const okCount = scripts.length - failedCount;
  const files = `${scripts.length} script${scripts.length === 1 ? '' : 's'}`;
  io.stdout.write(`${files}: ${okCount} ok, ${failedCount} failed; ${stepCount} steps compared\n`);
  return failedCount > 0;
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
  const files = `${scripts.length} script${scripts.length === 1 ? '' : 's'}`;
  // Not among the lines of JSON, which another program may read.
  io.stderr.write(`${files}: ${stepCount} steps replayed, ${unsupportedCount} not supported\n`);
  return unsupportedCount > 0;
}

function* allSteps(scripts: readonly LoadedScript[], engine: Engine) {
  for (const loaded of scripts) {
    for (const replayed of replaySteps(loaded, engine)) yield { script: loaded.script, replayed };
  }
}
