import { MisuseError } from '@epckit/interface';
import type { ExploredStep } from '@epckit/machine';
import type { Case, Mark, World } from './case.js';
import type { Execution, MachineSchedule } from './execution.js';
import { runOnce } from './execution.js';
import type { Finding } from './finding.js';
import { createFinding } from './finding.js';
import { BruteForce } from './search/brute-force.js';
import type { Strategy } from './search/depth-first.js';
import { DepthFirst } from './search/depth-first.js';
import { Dpor } from './search/dpor.js';
import { SleepSets } from './search/sleep-sets.js';

/**
 * How interleavings are enumerated.
 *
 * - `dfs`: all of them, or all with at most so many preemptions
 * - `sleepSets`: one of each set that differs only in the order of commuting steps; still meets all states
 * - `dpor`: the same, and goes only where an execution has shown a race
 */
export type StrategyName = 'dfs' | 'sleepSets' | 'dpor';

/** What a search is told. */
export interface ExploreOptions {
  /** Default: `dpor`. */
  readonly strategy?: StrategyName;
  /**
   * Most preemptions per execution, a preemption being a switch from a thread that could have gone on
   * (Musuvathi and Qadeer, PLDI 2007). For `dfs` only. Default: no bound.
   */
  readonly preemptions?: number;
  /**
   * May leaves that conflict overlap? Then each pair of them that is about to be executed is tried both ways: one
   * after the other, and one refused by the other. For `dfs` only. Default: false.
   */
  readonly overlaps?: boolean;
  /** Steps after which an execution is too long, which is a finding. Default: 10,000. */
  readonly maxSteps?: number;
  /** Executions, given-up ones included, after which the search stops. Default: no bound. */
  readonly maxExecutions?: number;
  /** Stop at the first finding? Otherwise only an error within a step stops. Default: true. */
  readonly stopAtFinding?: boolean;
  /** Count distinct traces? Costs the search without reduction its speed. Default: false. */
  readonly countTraces?: boolean;
  /** Called after each step of each execution; `mark` notes that a place was reached. */
  readonly onStep?: (step: ExploredStep, world: World, mark: Mark) => void;
}

/** What a search did and found. */
export interface ExplorationResult {
  /** `exhausted`: nothing is left and nothing was found; `bounded`: {@link limit} has left something out. */
  readonly status: 'exhausted' | 'found' | 'bounded';
  /** What has ended the search before everything was visited, or null. */
  readonly limit: 'executions' | 'preemptions' | 'finding' | null;
  /** Executions that were run to their end. */
  readonly executions: number;
  /** Executions given up because they led to nothing new. */
  readonly abandoned: number;
  /** Steps of all executions. */
  readonly steps: number;
  /** Steps of the longest execution. */
  readonly longest: number;
  /** Distinct final states, if the case has a digest of them. A stuck one begins with `deadlock` or `no-progress`. */
  readonly finalStates: ReadonlySet<string>;
  /** Distinct Mazurkiewicz traces, if they were counted. */
  readonly traces: ReadonlySet<string>;
  /** In how many executions each mark was reached. */
  readonly marks: ReadonlyMap<string, number>;
  /** First interleaving that goes wrong, or null. */
  readonly finding: Finding | null;
}

/**
 * Searches the interleavings of a case for one that goes wrong.
 *
 * @throws MisuseError for a preemption bound or overlaps together with a reduction, and whatever `setup` throws
 */
export function explore(subject: Case, options: ExploreOptions = {}): ExplorationResult {
  return new Exploration(subject, options).run();
}

class Exploration {
  readonly #subject: Case;
  readonly #options: ExploreOptions;
  readonly #strategy: Strategy;
  readonly #search: DepthFirst;
  readonly #finalStates = new Set<string>();
  readonly #traces = new Set<string>();
  readonly #marks = new Map<string, number>();
  #executions = 0;
  #abandoned = 0;
  #steps = 0;
  #longest = 0;
  #finding: Finding | null = null;

  constructor(subject: Case, options: ExploreOptions) {
    this.#subject = subject;
    this.#options = options;
    this.#strategy = createStrategy(options);
    this.#search = new DepthFirst(this.#strategy, options.countTraces === true);
  }

  run(): ExplorationResult {
    const { maxExecutions = Number.POSITIVE_INFINITY, stopAtFinding = true } = this.#options;
    while (this.#search.begin()) {
      if (this.#executions + this.#abandoned >= maxExecutions) return this.#result('executions');
      const execution = this.#runOnce();
      this.#count(execution);
      if (execution.fault === null) continue;
      this.#finding ??= createFinding(this.#subject, this.#search.schedule, execution.fault.kind);
      // An execution that was cut short says nothing about what could have raced with its missing steps.
      if (stopAtFinding || !execution.isComplete) return this.#result('finding');
    }
    return this.#result(this.#strategy instanceof BruteForce && this.#strategy.wasCut ? 'preemptions' : null);
  }

  #runOnce(): Execution {
    const { maxSteps = 10_000, overlaps = false, onStep } = this.#options;
    const search = this.#search;
    const schedule: MachineSchedule = {
      choose: (enabled) => search.choose(enabled),
      ...(overlaps ? { overlap: (_thread, others) => search.overlapWith(others) } : {}),
    };
    return runOnce(this.#subject, schedule, {
      maxSteps,
      onStep: (step, world, mark) => {
        this.#search.stepped(step);
        onStep?.(step, world, mark);
      },
      onEnd: (threads) => this.#search.ended(threads),
    });
  }

  #count(execution: Execution): void {
    this.#steps += execution.steps;
    this.#longest = Math.max(this.#longest, execution.steps);
    if (execution.isAbandoned) {
      this.#abandoned++;
      return;
    }
    this.#executions++;
    for (const name of execution.marks) this.#marks.set(name, (this.#marks.get(name) ?? 0) + 1);
    if (!execution.isComplete) return;
    if (this.#options.countTraces === true) this.#traces.add(this.#search.causality.traceKey());
    const state = execution.world.state?.();
    if (state === undefined) return;
    const kind = execution.fault?.kind;
    this.#finalStates.add(kind === 'deadlock' || kind === 'no-progress' ? `${kind} ${state}` : state);
  }

  #result(limit: ExplorationResult['limit']): ExplorationResult {
    return {
      status: this.#finding !== null ? 'found' : limit !== null ? 'bounded' : 'exhausted',
      limit,
      executions: this.#executions,
      abandoned: this.#abandoned,
      steps: this.#steps,
      longest: this.#longest,
      finalStates: this.#finalStates,
      traces: this.#traces,
      marks: this.#marks,
      finding: this.#finding,
    };
  }
}

function createStrategy({ strategy = 'dpor', preemptions, overlaps }: ExploreOptions): Strategy {
  if (strategy === 'dfs') return new BruteForce(preemptions ?? Number.POSITIVE_INFINITY);
  if (overlaps === true) {
    throw new MisuseError(
      `Overlapping leaves cannot be combined with '${strategy}'.`,
      ['whether a step may overlap depends on what other threads have announced, which no reduction follows'],
      { hint: "Use the strategy 'dfs', with a bound on preemptions if there are too many interleavings." },
    );
  }
  if (preemptions !== undefined) {
    throw new MisuseError(
      `A preemption bound cannot be combined with '${strategy}'.`,
      [
        'the one interleaving that a reduction keeps of a set may be beyond the bound while another is within it',
      ],
      { hint: "Use the strategy 'dfs' with a bound, or a reduction without one." },
    );
  }
  return strategy === 'sleepSets' ? new SleepSets() : new Dpor();
}
