import { Command } from 'commander';
import { type Engine, facade } from './engine.js';
import { ExitCode, type ExitCodeValue } from './exit-code.js';
import type { CliIo } from './io.js';
import { type ReplayOptions, replayCommand } from './replay/replay-command.js';
import { reportError } from './report-error.js';
import { type RunOptions, runCommand } from './run/run-command.js';
import { cliVersion } from './version.js';

/**
 * Runs the command `epckit`.
 *
 * Never ends the process and never throws: errors are printed to `io.stderr`.
 *
 * @param argv - arguments behind the name of the command
 * @param engine - the model; the package `epckit` unless given
 * @returns the exit code, see {@link ExitCode}
 *
 * @example
 * ```ts
 * process.exitCode = await main(['run', 'scenario.yaml'], processIo());
 * ```
 */
export async function main(
  argv: readonly string[],
  io: CliIo,
  engine: Engine = facade,
): Promise<ExitCodeValue> {
  let exitCode: ExitCodeValue = ExitCode.CLEAN;
  const program = createProgram(io);
  addRun(program, async (path, options) => {
    exitCode = await runCommand(path, options, io, engine);
  });
  addReplay(program, async (paths, options) => {
    exitCode = await replayCommand(paths, options, io, engine, argv);
  });
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return exitCode;
  } catch (error) {
    return reportError(error, argv, io);
  }
}

function createProgram(io: CliIo): Command {
  return new Command('epckit')
    .description('Intel SGX EPC memory manager: replays page traces and scripts of kernel operations')
    .version(cliVersion)
    .showHelpAfterError('  hint: epckit --help and epckit COMMAND --help list what there is.')
    .addHelpText('after', '\nExit codes: 0 clean, 1 a comparison failed, 2 misuse, 3 a defect of epckit.')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
      outputError: (text, write) => write(text.replace(/^error: /, 'epckit: ')),
      getOutHelpWidth: () => io.stdout.columns || 100,
      getErrHelpWidth: () => io.stderr.columns || 100,
    });
}

function addRun(program: Command, action: (path: string, options: RunOptions) => Promise<void>): void {
  program
    .command('run')
    .description('replay the page traces of a scenario and show what happens to its enclaves')
    .argument('<SCENARIO.yaml>', 'machine, policies, costs and enclaves; see the README for every key')
    .option('--json <FILE>', 'also write the whole report as JSON; FILE is replaced only on success')
    .option('-q, --quiet', 'neither progress nor summary')
    .action(action);
}

function addReplay(
  program: Command,
  action: (paths: string[], options: ReplayOptions) => Promise<void>,
): void {
  program
    .command('replay')
    .description('drive the model through scripts of kernel operations')
    .argument('<SCRIPT.json...>', 'scripts, format 1, plain or gzip')
    .option('--check', 'compare every record with the expected one instead of printing it')
    .option('-q, --quiet', 'only what fails, and the closing line')
    .action(action);
}
