import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { EpckitError } from '@epckit/interface';
import type { RunReport } from 'epckit';
import type { Engine } from '../engine.js';
import { ExitCode, type ExitCodeValue } from '../exit-code.js';
import type { CliIo } from '../io.js';
import { type OutputFile, openOutputFile, requireDifferentFiles } from '../output-file.js';
import { checkEpcFits } from '../run/epc-fit.js';
import {
  checkRuns,
  inputFiles,
  loadColumns,
  type TraceSize,
  type TraceUse,
  traceUses,
} from '../run/load-traces.js';
import { createProgressLine, type ProgressLine } from '../run/progress-line.js';
import { atScenario } from '../run/run-command.js';
import { readScenario } from '../scenario/load-scenario.js';
import { plural } from '../scenario/plural.js';
import { type Combination, inCombination, makeCombinations } from './combinations.js';
import { comparisonCsv } from './compare-csv.js';
import { renderComparison } from './compare-table.js';
import { compareReports } from './comparison.js';
import {
  hashFiles,
  openResultFolder,
  type ResultFolder,
  type ResultKey,
  resultKeyOf,
} from './result-folder.js';
import { type JobError, jobOf, type RunJob } from './run-job.js';
import { createRunPool } from './run-pool.js';
import { parseVaries } from './vary.js';

/** Options of `epckit compare`, as they are on the command line. */
export interface CompareOptions {
  /** `path=a,b,c`, any number of them. */
  readonly vary?: readonly string[];
  /** Seeds per combination. */
  readonly repeat?: string;
  /** Folder of finished runs. */
  readonly out?: string;
  /** File for the whole comparison. */
  readonly json?: string;
  /** File with a row per run. */
  readonly csv?: string;
  /** Runs at a time. */
  readonly jobs?: string;
  /** Checks everything and runs nothing. */
  readonly dryRun?: boolean;
  /** Neither progress nor table. */
  readonly quiet?: boolean;
}

/** One run of the comparison and what has become of it. */
interface Task {
  readonly combination: Combination;
  readonly loaded: Combination['scenarios'][number];
  readonly job: RunJob;
  readonly key: ResultKey | null;
  report: RunReport | null;
}

/**
 * `epckit compare`: runs a scenario once per combination of varied keys and seed, and shows what differs.
 *
 * Everything that the user gave is checked before the first run.
 *
 * @throws EpckitError for anything wrong with options, scenario, traces, output files or results
 */
export async function compareCommand(
  path: string,
  options: CompareOptions,
  io: CliIo,
  engine: Engine,
): Promise<ExitCodeValue> {
  const varies = parseVaries(options.vary ?? []);
  const repeat = parseCount('--repeat', options.repeat ?? '1', 1000);
  const jobs = parseCount('--jobs', options.jobs ?? String(availableParallelism()), 1024);
  const source = await readScenario(path, io.cwd);
  const combinations = await makeCombinations(source, varies, repeat, path, io.cwd);
  const files = combinations.flatMap(({ scenarios }) => scenarios.flatMap(inputFiles));
  const inputs = [resolve(io.cwd, path), ...new Set(files)];
  const open = async (name: string | undefined): Promise<OutputFile | null> =>
    name === undefined ? null : openOutputFile(name, io.cwd, inputs);
  const json = await open(options.json);
  const csv = await open(options.csv);
  requireDifferentFiles([json, csv]);
  const progress = createProgressLine(io.stderr, options.quiet === true);
  try {
    await checkAll(combinations, io.cwd, progress);
    if (options.dryRun === true) {
      progress.clear();
      if (options.quiet !== true) io.stdout.write(`${describePlan(combinations, repeat)}\n`);
      return ExitCode.CLEAN;
    }
    const folder = options.out === undefined ? null : await openResultFolder(options.out, io.cwd);
    const tasks = await makeTasks(combinations, folder);
    await performAll(path, tasks, folder, jobs, progress, engine);
    const reports = combinations.map((one) =>
      tasks.filter(({ combination }) => combination === one).map(({ report }) => report as RunReport),
    );
    const comparison = compareReports(varies, combinations, reports);
    await json?.writeJson(comparison);
    await csv?.write(comparisonCsv(comparison));
    progress.clear();
    if (options.quiet !== true)
      io.stdout.write(`${renderComparison(comparison, io.stdout.columns || 160)}\n`);
  } catch (error) {
    progress.clear();
    throw error;
  }
  return ExitCode.CLEAN;
}

function describePlan(combinations: readonly Combination[], repeat: number): string {
  const runs = combinations.length * repeat;
  const count = `${plural(combinations.length, 'combination')}, ${plural(runs, 'run')}`;
  return `${count}; scenario and traces are in order, and nothing was run.`;
}

function parseCount(option: string, text: string, most: number): number {
  const count = /^\d+$/.test(text) ? Number(text) : 0;
  if (count >= 1 && count <= most) return count;
  const message = `${option} must be a whole number from 1 to ${most}, not ${JSON.stringify(text)}.`;
  throw new EpckitError('EPCKIT_ARGUMENT', message);
}

/** Checks every combination against its traces, each of which is read once and dropped. */
async function checkAll(
  combinations: readonly Combination[],
  cwd: string,
  progress: ProgressLine,
): Promise<void> {
  const known = new Map<string, TraceSize>();
  for (const { scenarios, assignments } of combinations) {
    for (const loaded of scenarios) {
      const sizes = new Map<string, TraceSize>();
      try {
        for (const use of traceUses(loaded)) {
          const generator = loaded.generators.get(use.trace);
          // What a seed changes of a generated trace hardly changes its size: one seed stands for all.
          const name = JSON.stringify(generator === undefined ? use.trace : { ...generator, seed: 0 });
          const size = known.get(name) ?? (await sizeOf(loaded, use, cwd, progress));
          known.set(name, size);
          sizes.set(use.trace, size);
        }
        checkRuns(loaded, sizes);
        checkEpcFits(loaded, sizes);
      } catch (error) {
        throw inCombination(error, assignments);
      }
    }
  }
}

async function sizeOf(
  loaded: Combination['scenarios'][number],
  use: TraceUse,
  cwd: string,
  progress: ProgressLine,
): Promise<TraceSize> {
  progress.say(`reading ${use.trace}`);
  const { length, pageNumber } = await loadColumns(loaded, use, cwd);
  return { length, pageNumber };
}

/** Lists the runs in order, with the results that are there already. */
async function makeTasks(
  combinations: readonly Combination[],
  folder: ResultFolder | null,
): Promise<readonly Task[]> {
  const runs = combinations.flatMap((combination) =>
    combination.scenarios.map((loaded) => ({ combination, loaded, job: jobOf(loaded) })),
  );
  if (folder === null) return runs.map((run) => ({ ...run, key: null, report: null }));
  const paths = runs.flatMap(({ job }) => job.sources.flatMap((one) => ('file' in one ? [one.file] : [])));
  const hashes = await hashFiles(paths);
  const tasks: Task[] = [];
  for (const run of runs) {
    const key = resultKeyOf(run.job, run.combination.assignments, hashes);
    tasks.push({ ...run, key, report: await folder.read(key) });
  }
  return tasks;
}

/** Performs what is not finished yet; each result is kept as soon as it is there. */
async function performAll(
  path: string,
  tasks: readonly Task[],
  folder: ResultFolder | null,
  jobs: number,
  progress: ProgressLine,
  engine: Engine,
): Promise<void> {
  const waiting = tasks.filter(({ report }) => report === null);
  let done = tasks.length - waiting.length;
  progress.advance(done, tasks.length, 'runs');
  if (waiting.length === 0) return;
  const next = waiting.values();
  const pool = await createRunPool(Math.min(jobs, waiting.length), engine);
  const perform = async (): Promise<void> => {
    for (const task of next) {
      const outcome = await pool.perform(task.job);
      if ('error' in outcome) throw failureOf(outcome.error, path, task);
      if (folder !== null) await folder.write(task.key as ResultKey, outcome.report);
      task.report = outcome.report;
      progress.advance(++done, tasks.length, 'runs');
    }
  };
  try {
    await Promise.all(Array.from({ length: Math.min(jobs, waiting.length) }, perform));
  } finally {
    await pool.close();
  }
}

/** The error of a job with its fields, the place in the scenario and the combination. */
function failureOf(error: JobError, path: string, { loaded, combination }: Task): unknown {
  const { code, message, details, hint, stack, enclave } = error;
  const cause = Object.assign(new Error(message), { code, details, hint, enclave });
  if (stack !== undefined) cause.stack = stack;
  return inCombination(atScenario(cause, path, loaded), combination.assignments);
}
