import { resolve } from 'node:path';
import { loadTrace } from '@epckit/trace';
import { type RunReport, type Scenario, scenarioTraces, type TraceColumns } from 'epckit';
import { generateTrace } from '../run/generate-trace.js';
import type { LoadedScenario } from '../scenario/load-scenario.js';
import type { Generator } from '../scenario/resolve.js';

/** Where the references of an enclave come from. */
export type TraceSource =
  | { readonly name: string; readonly file: string }
  | { readonly name: string; readonly generator: Generator };

/** One run of a comparison: plain data, so that it can go to a worker. */
export interface RunJob {
  /** What to run. */
  readonly scenario: Scenario;
  /** Its traces. */
  readonly sources: readonly TraceSource[];
}

/** An error as plain data: errors lose their fields on the way from a worker. */
export interface JobError {
  readonly name: string;
  readonly code: string | undefined;
  readonly message: string;
  readonly details: readonly string[];
  readonly hint: string | undefined;
  readonly stack: string | undefined;
  /** Enclave that it is about. */
  readonly enclave: string | undefined;
}

/** How a job ended. */
export type JobOutcome = { readonly report: RunReport } | { readonly error: JobError };

/** Runs a scenario; the facade's `runScenario`, or what stands in for it in a test. */
export type RunFunction = (scenario: Scenario, traces: ReadonlyMap<string, TraceColumns>) => RunReport;

/** Makes a job of a scenario. */
export function jobOf({ scenario, generators, folder }: LoadedScenario): RunJob {
  const names = scenarioTraces(scenario);
  const sources = names.map((name): TraceSource => {
    const generator = generators.get(name);
    return generator === undefined ? { name, file: resolve(folder, name) } : { name, generator };
  });
  return { scenario, sources };
}

/** Performs jobs one after the other; keeps the traces of the last one, because the next often has the same. */
export class JobRunner {
  readonly #run: RunFunction;
  #traces = new Map<string, TraceColumns>();

  constructor(run: RunFunction) {
    this.#run = run;
  }

  /** Performs a job. Never throws. */
  async perform(job: RunJob): Promise<JobOutcome> {
    try {
      return { report: this.#run(job.scenario, await this.#load(job.sources)) };
    } catch (error) {
      return { error: plainError(error) };
    }
  }

  async #load(sources: readonly TraceSource[]): Promise<ReadonlyMap<string, TraceColumns>> {
    const kept = new Map<string, TraceColumns>();
    const traces = new Map<string, TraceColumns>();
    for (const source of sources) {
      const key = JSON.stringify('file' in source ? source.file : source.generator);
      const trace = this.#traces.get(key) ?? (await read(source));
      kept.set(key, trace);
      traces.set(source.name, trace);
    }
    this.#traces = kept;
    return traces;
  }
}

async function read(source: TraceSource): Promise<TraceColumns> {
  return 'file' in source ? loadTrace(source.file) : generateTrace(source.generator);
}

function plainError(error: unknown): JobError {
  const facts = (typeof error === 'object' && error !== null ? error : {}) as Readonly<
    Record<string, unknown>
  >;
  const text = (value: unknown) => (typeof value === 'string' ? value : undefined);
  return {
    name: text(facts['name']) ?? 'Error',
    code: text(facts['code']),
    message: text(facts['message']) ?? String(error),
    details: Array.isArray(facts['details']) ? facts['details'].map(String) : [],
    hint: text(facts['hint']),
    stack: text(facts['stack']),
    enclave: text(facts['enclave']),
  };
}
