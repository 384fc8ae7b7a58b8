import type { ModeId, Op } from '@epckit/interface';
import { Mode, opMode, opObject } from '@epckit/interface';
import type { ExploredStep, Touch } from '@epckit/machine';
import type { World } from './case.js';

/** One step of an interleaving, in words. */
export interface TraceStep {
  /** Thread that ran. */
  readonly thread: number;
  /** Its name. */
  readonly threadName: string;
  /** What it had announced, such as `acquire node_lock[0]`. */
  readonly announced: string;
  /** What it touched until it stopped again, such as `W free`; R, W and A for read, write and addition. */
  readonly touched: readonly string[];
}

const VERBS: Readonly<Record<ModeId, string>> = {
  [Mode.READ]: 'read',
  [Mode.WRITE]: 'write',
  [Mode.ADD]: 'add to',
  [Mode.ACQUIRE]: 'acquire',
  [Mode.ACQUIRE_SHARED]: 'acquire shared',
  [Mode.WAIT]: 'go on after waiting for',
  [Mode.LEAF]: 'leaf on',
};

const LETTERS: Readonly<Record<Touch, string>> = { [Mode.READ]: 'R', [Mode.WRITE]: 'W', [Mode.ADD]: 'A' };

/** Puts a step into words. */
export function toTraceStep(step: ExploredStep, world: World): TraceStep {
  const { threads, objects } = world.machine;
  const thread = threads[step.thread - 1];
  // Every change of anything is an addition to this object: noise for a reader.
  const change = thread === undefined ? 0 : opObject(thread.changeWaiting);
  const touched: string[] = [];
  for (const [object, touch] of step.footprint) {
    if (object !== change) touched.push(`${LETTERS[touch]} ${objects.nameOf(object)}`);
  }
  const threadName = thread?.name ?? `thread ${step.thread}`;
  const beside = step.overlapped === 0 ? '' : `, during the leaf of thread ${step.overlapped}`;
  return { thread: step.thread, threadName, announced: announcement(step.op, world) + beside, touched };
}

function announcement(op: Op, world: World): string {
  if (op === 0) return 'start';
  return world.describe?.(op) ?? `${VERBS[opMode(op)]} ${world.machine.objects.nameOf(opObject(op))}`;
}
