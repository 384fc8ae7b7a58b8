import { Command } from 'commander';
import { type CompareOptions, compareCommand } from './compare/compare-command.js';
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
  addCompare(program, async (path, options) => {
    exitCode = await compareCommand(path, options, io, engine);
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
    .description(
      'Intel SGX EPC memory manager: replays and compares page traces, replays scripts of kernel operations',
    )
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
    .option('--events <FILE>', 'also write every event: NDJSON, or for Perfetto if FILE ends in .trace.json')
    .option('-q, --quiet', 'neither progress nor summary')
    .action(action);
}

function addCompare(
  program: Command,
  action: (path: string, options: CompareOptions) => Promise<void>,
): void {
  program
    .command('compare')
    .description('run a scenario with different values of its keys, on the same traces and seeds')
    .argument('<SCENARIO.yaml>', 'the scenario that is varied')
    .option(
      '--vary <PATH=A,B,C>',
      'values of a key, such as reclaim.batch=1,4,16 or enclaves.0.trace=…; may be repeated',
      (text: string, before: readonly string[] = []) => [...before, text],
    )
    .option('--repeat <N>', 'runs of each combination, with seeds drawn from that of the scenario', '1')
    .option('--out <DIR>', 'keep every finished run there, and go on from what is there')
    .option('--json <FILE>', 'also write everything as JSON; FILE is replaced only on success')
    .option('--csv <FILE>', 'also write a row per run')
    .option('--jobs <N>', 'runs at a time; as many as the machine has cores unless given')
    .option('--dry-run', 'check everything, run nothing')
    .option('-q, --quiet', 'neither progress nor table')
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
