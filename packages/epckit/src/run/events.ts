import type { CpuId, ThreadId } from '@epckit/interface';

/** Names of the events of a run; part of the format of event logs. */
export type RunEventName =
  | 'fault'
  | 'batch'
  | 'ipi'
  | 'ksgxd.awake'
  | 'leaf'
  | 'page.allocated'
  | 'page.freed'
  | 'reclaim.verdict'
  | 'ksgxd.woken'
  | 'pte.zapped'
  | 'pte.aged'
  | 'backing.dropped'
  | 'lock.contended'
  | 'warning';

/** What else an event says; the keys depend on its name. */
export type RunEventFacts = Readonly<Record<string, string | number | boolean>>;

/**
 * Something that happened in a run. Of one thread, events come in order of time, and what begins last ends
 * first. Of different threads they come as the model executes them: nearly in order of time.
 */
export interface RunEvent {
  /** Cycles since the end of the boot. */
  readonly cycle: number;
  /** CPU on which it happened. */
  readonly cpu: CpuId;
  /** Thread on which it happened. */
  readonly thread: ThreadId;
  /** Name of that thread, such as `cpu0` or `ksgxd`. */
  readonly threadName: string;
  /** What happened. */
  readonly name: RunEventName;
  /** A moment, or begin and end of something that takes time. */
  readonly phase: 'point' | 'begin' | 'end';
  /** What else there is to say. */
  readonly facts: RunEventFacts;
}

/** Called for every event of a run; must not change anything. */
export type RunEventListener = (event: RunEvent) => void;
