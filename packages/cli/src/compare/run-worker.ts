import { runScenario } from 'epckit';
import { type JobOutcome, JobRunner, type RunJob } from './run-job.js';

/** One per worker. */
const runner = new JobRunner(runScenario);

/** Entry of a worker of the pool. */
export default function perform(job: RunJob): Promise<JobOutcome> {
  return runner.perform(job);
}
