import type { CpuSet, IpiSender, Routine, Thread } from '@epckit/interface';
import type { Batch } from '@epckit/reclaim/recipes';
import type { RunCounters } from './counters.js';

/** Lets `counters` know when batches begin and end. @returns `batch` itself, so that any recipe can be observed */
export function observeBatch(batch: Batch, counters: RunCounters): Batch {
  const run = batch.run.bind(batch);
  batch.run = function* observed(thread: Thread, ...rest): Routine<number> {
    counters.batchBegins(thread.id);
    const freed = yield* run(thread, ...rest);
    counters.batchEnds(thread.id, freed);
    return freed;
  };
  return batch;
}

/** A sender that lets `counters` know when its rounds begin and end. */
export function observeIpi(ipi: IpiSender, counters: RunCounters): IpiSender {
  return {
    *send(thread: Thread, cpus: CpuSet): Routine<number> {
      let targets = 0;
      for (let cpu = cpus.next(0); cpu >= 0; cpu = cpus.next(cpu + 1)) targets++;
      counters.ipiBegins(thread.id, targets);
      const interrupted = yield* ipi.send(thread, cpus);
      counters.ipiEnds(thread.id, interrupted);
      return interrupted;
    },
    kick: (thread, cpus) => ipi.kick(thread, cpus),
  };
}
