import { EpckitError } from '@epckit/interface';
import type { ReplayedStep, Script } from 'epckit';
import type { Engine } from '../engine.js';

/** A script and the file it comes from. */
export interface LoadedScript {
  /** As the user gave it; stands in messages. */
  readonly path: string;
  readonly script: Script;
}

/**
 * Replays a script; an error of the model gets the file and the step in front of its message.
 *
 * @throws EpckitError with the code of the model's error
 */
export function* replaySteps({ path, script }: LoadedScript, engine: Engine): Generator<ReplayedStep> {
  let stepCount = 0;
  try {
    for (const replayed of engine.replay(script)) {
      stepCount += 1;
      yield replayed;
    }
  } catch (error) {
    throw atStep(error, path, stepCount);
  }
}

function atStep(error: unknown, path: string, index: number): unknown {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return error;
  const { details, hint } = error as Partial<EpckitError>;
  return new EpckitError(error.code, `${path}: step ${index}: ${error.message}`, details ?? [], {
    ...(hint === undefined ? {} : { hint }),
    cause: error,
  });
}
