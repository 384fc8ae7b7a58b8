import { InvariantViolation } from '@epckit/interface';
import { ChangeWait } from './progress.js';
import type { MachineThread } from './thread.js';

/** Describes who waits for what and who holds it. */
export function describeDeadlock(threads: readonly MachineThread[]): InvariantViolation {
  const stuck = threads.filter((thread) => thread.routine !== null && !thread.isEnabled);
  const busy = stuck.filter((thread) => thread.blockedOn?.isIdle !== true);
  const message = allWaitForChange(threads)
    ? `${names(busy)} can never go on: every thread waits for a change and none can come.`
    : `${names(busy)} wait for each other.`;
  return new InvariantViolation(message, stuck.map(describe));
}

/** Does every thread that is neither idle nor ended wait for a change? */
export function allWaitForChange(threads: readonly MachineThread[]): boolean {
  return threads.every(
    ({ routine, blockedOn }) =>
      routine === null || blockedOn?.isIdle === true || blockedOn instanceof ChangeWait,
  );
}

function describe(thread: MachineThread): string {
  const blocker = thread.blockedOn;
  const holders = blocker?.holders() ?? [];
  const held = thread.held.map((lock) => lock.name).join(', ') || 'nothing';
  const by = holders.length === 0 ? '' : ` held by ${names(holders)}`;
  return `${thread.name} waits for ${blocker?.name ?? 'nothing'}${by}, holds ${held}`;
}

function names(threads: readonly MachineThread[]): string {
  return threads.map((thread) => thread.name).join(', ');
}
