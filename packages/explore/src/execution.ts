import type { Schedule } from '@epckit/interface';
import { MisuseError } from '@epckit/interface';
import type { ExploredStep, FailureKind, MachineThread } from '@epckit/machine';
import type { Case, Mark, World } from './case.js';

/** What a search or a replay found wrong. */
export type FindingKind = FailureKind | 'too-long';

/** What is wrong with an execution. */
export interface Fault {
  /** What kind of wrong. */
  readonly kind: FindingKind;
  /** What exactly. */
  readonly error: Error;
}

/** How one execution of a case ended. */
export interface Execution {
  /** World that was used up. */
  readonly world: World;
  /** Was it given up because it leads to nothing new? */
  readonly isAbandoned: boolean;
  /** Did all threads end, sleep idly, or get stuck: is the trace complete? */
  readonly isComplete: boolean;
  /** What was wrong, or null. */
  readonly fault: Fault | null;
  /** Number of steps. */
  readonly steps: number;
  /** Names that were marked. */
  readonly marks: ReadonlySet<string>;
}

/** Observers and limit of an execution. */
export interface ExecutionParts {
  /** Steps after which an execution is too long. */
  readonly maxSteps: number;
  /** Called after each step. */
  readonly onStep: (step: ExploredStep, world: World, mark: Mark) => void;
  /** Called at the end, before the world is judged. */
  readonly onEnd?: (threads: readonly MachineThread[]) => void;
}

/** Schedule as the machine calls it: it sees the machine's threads. */
export interface MachineSchedule {
  choose(enabled: readonly MachineThread[]): number;
  /** Which of `others` has a leaf running beside that of `thread`; left out where leaves never overlap. */
  overlap?(thread: MachineThread, others: readonly MachineThread[]): number;
}

/** Sets the case up and runs it once. @throws MisuseError if its machine is not in checking mode */
export function runOnce(subject: Case, schedule: MachineSchedule, parts: ExecutionParts): Execution {
  const marks = new Set<string>();
  const mark: Mark = (name) => marks.add(name);
  const world = subject.setup(mark);
  const { machine } = world;
  if (machine.checking === null) {
    throw new MisuseError(`Case '${subject.name}' has a machine that is not in checking mode.`);
  }
  const chooser: Schedule = {
    begin: () => true,
    choose: (enabled) => schedule.choose(enabled as readonly MachineThread[]),
    ...(schedule.overlap === undefined
      ? {}
      : {
          overlap: (thread, others) =>
            schedule.overlap?.(thread as MachineThread, others as readonly MachineThread[]) ?? -1,
        }),
  };
  const result = runThreads(world, chooser, parts, mark);
  parts.onEnd?.(machine.threads);
  const fault = faultOf(world, result, parts.maxSteps);
  if (world.reached?.() === true) marks.add('reached');
  return {
    world,
    isAbandoned: result.status === 'abandoned',
    isComplete: result.status === 'done' || result.status === 'stuck',
    fault,
    steps: result.steps,
    marks,
  };
}

type MachineResult = ReturnType<World['machine']['runExplored']>;

/** What {@link World.checkStep} has found, on its way out of the machine. */
class StepViolation {
  readonly error: Error;

  constructor(error: Error) {
    this.error = error;
  }
}

function runThreads(world: World, chooser: Schedule, parts: ExecutionParts, mark: Mark): MachineResult {
  let steps = 0;
  const onStep = (step: ExploredStep): void => {
    steps++;
    parts.onStep(step, world, mark);
    judgeStep(world);
  };
  try {
    return world.machine.runExplored(chooser, { maxSteps: parts.maxSteps, onStep });
  } catch (thrown) {
    if (!(thrown instanceof StepViolation)) throw thrown;
    return { status: 'failed', kind: 'violation', error: thrown.error, steps };
  }
}

function judgeStep(world: World): void {
  try {
    world.checkStep?.();
  } catch (violation) {
    throw new StepViolation(violation as Error);
  }
}

function faultOf(world: World, result: MachineResult, maxSteps: number): Fault | null {
  const { status, kind = 'violation', error } = result;
  if (error !== undefined) return { kind, error };
  if (status === 'bound') return { kind: 'too-long', error: new Error(`No end after ${maxSteps} steps.`) };
  if (status === 'abandoned') return null;
  try {
    world.check?.();
    return null;
  } catch (violation) {
    return { kind: 'violation', error: violation as Error };
  }
}
