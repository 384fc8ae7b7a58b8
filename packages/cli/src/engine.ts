import type { ReplayedStep, RunOptions, RunReport, Scenario, Script, StepRecord, TraceColumns } from 'epckit';
import { compareRecords, replayScript, runScenario } from 'epckit';

/**
 * What the commands need of the model behind them.
 *
 * The facade is the one implementation; tests of the commands pass another, to see what a command does with
 * a result that the model does not give.
 */
export interface Engine {
  /** Replays the traces of a scenario; `traces` holds one entry per name in the scenario. */
  readonly run: (
    scenario: Scenario,
    traces: ReadonlyMap<string, TraceColumns>,
    options?: RunOptions,
  ) => RunReport;
  /** Replays a script; yields one record per step, in order. */
  readonly replay: (script: Script) => Iterable<ReplayedStep>;
  /** Describes the first difference of two records in one line; `null` if they are equal. */
  readonly compare: (expected: StepRecord, actual: StepRecord) => string | null;
  /** Module that runs scenarios in a worker, or null: all runs take place in the thread of the command. */
  readonly worker: {
    /** Where it is. */
    readonly file: URL;
    /** Options of Node.js for the worker. */
    readonly execArgv: readonly string[];
  } | null;
}

/** The model: the package `epckit`. */
export const facade: Engine = {
  run: runScenario,
  replay: replayScript,
  compare: compareRecords,
  worker: { file: new URL('./compare/run-worker.js', import.meta.url), execArgv: [] },
};
