import type { CpuId } from '@epckit/interface';
import { InvariantViolation } from '@epckit/interface';
import type { CpuTime } from './timed-cpu.js';

/** Largest number of cycles that is exact. */
const MAX_CYCLES = 2 ** 53;

/**
 * The time of a CPU is the sum of its causes.
 *
 * @throws InvariantViolation if a cycle is missing or was charged twice
 */
export function requireConservation(cpu: CpuId, { startedAt, clock, idle, cycles }: CpuTime): void {
  const busy = cycles.reduce((sum, value) => sum + value, 0);
  if (clock > MAX_CYCLES || clock - startedAt === idle + busy) return;
  throw new InvariantViolation(`The time of CPU ${cpu} is not the sum of its causes.`, [
    `from ${startedAt} to ${clock}, busy ${busy}, idle ${idle}`,
    'an interrupt handler may charge only the thread that has the CPU',
  ]);
}
