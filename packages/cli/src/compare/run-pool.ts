import type { Engine } from '../engine.js';
import { type JobOutcome, JobRunner, type RunJob } from './run-job.js';

/** Performs jobs, several at a time. */
export interface RunPool {
  /** Performs a job; never rejects for what goes wrong in it. */
  perform(job: RunJob): Promise<JobOutcome>;
  /** Ends the workers, also in the middle of a job. */
  close(): Promise<void>;
}

/**
 * Makes a pool: in this thread for one job at a time, else with that many workers.
 *
 * What a job gives does not depend on where it runs.
 */
export async function createRunPool(jobs: number, engine: Engine): Promise<RunPool> {
  const { worker } = engine;
  if (jobs === 1 || worker === null) {
    const runner = new JobRunner((scenario, traces) => engine.run(scenario, traces));
    return { perform: (job) => runner.perform(job), close: async () => {} };
  }
  // Loaded when it is needed: other commands have no workers.
  const { Tinypool } = await import('tinypool');
  const pool = new Tinypool({
    filename: worker.file.href,
    execArgv: [...worker.execArgv],
    runtime: 'worker_threads',
    minThreads: jobs,
    maxThreads: jobs,
  });
  return {
    perform: (job) => pool.run(job) as Promise<JobOutcome>,
    close: () => pool.destroy(),
  };
}
