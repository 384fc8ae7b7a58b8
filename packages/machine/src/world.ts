import type { CostKey, Probe } from '@epckit/interface';
import type { Checking } from './checking.js';
import type { LockOrder } from './lock-order.js';
import type { LockCounts } from './lock-statistics.js';
import type { Objects } from './objects.js';
import type { Progress } from './progress.js';
import type { MachineThread } from './thread.js';

/**
 * How a machine is driven at the moment; locks and queues ask it.
 *
 * - `direct`: run to completion
 * - `timed`: events in order of (cycle, CPU)
 * - `explored`: every point stops, a schedule chooses
 */
export type World = 'direct' | 'timed' | 'explored';

/** What locks, queues and threads of one machine share. */
export interface Shared {
  readonly objects: Objects;
  readonly lockOrder: LockOrder;
  readonly progress: Progress;
  /** The checking mode, or null when it is off. */
  readonly checking: Checking | null;
  world: World;
  /** Listener of trace points, or null. */
  readonly probe: Probe | null;
  /** Thread that runs now, or null between steps. */
  running: MachineThread | null;
  /** Statistics of the locks named `name`. */
  lockCountsOf(name: string): LockCounts;
  /** A blocked or sleeping thread can go on since `time`; its wait is charged to `key`. */
  becameRunnable(thread: MachineThread, time: number, key: CostKey): void;
}
