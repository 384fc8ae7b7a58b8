import type { MachineThread } from './thread.js';

/** What a stopped thread waits for: a lock, a wake-up, a change. */
export interface Blocker {
  /** Name for deadlock reports. */
  readonly name: string;
  /** Can the thread make a step now? Plain and without side effects. */
  canProceed(thread: MachineThread): boolean;
  /** Threads that stand in the way, for deadlock reports. */
  holders(): readonly MachineThread[];
  /** Is it a sleep that may last for ever, such as that of an idle daemon? */
  readonly isIdle: boolean;
  /** Does a waiting thread keep its CPU? */
  readonly spins: boolean;
}
