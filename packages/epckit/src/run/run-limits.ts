import { MisuseError } from '@epckit/interface';
import type { Scenario } from './scenario.js';

/** Largest values of a scenario: sums of cycles stay far below 2^53 in runs of hours. */
export const runLimits = {
  /** Most cycles of one operation: some 300 ms, 10,000 times what the slowest leaf takes. */
  costCycles: 1_000_000_000,
  /** Most repetitions of a trace. */
  repeat: 1_000_000,
} as const;

/** @throws MisuseError if a value of the scenario is above {@link runLimits} */
export function requireRunLimits({ costs, enclaves }: Scenario): void {
  for (const [name, cycles] of Object.entries(costs.overrides)) {
    if (cycles <= runLimits.costCycles) continue;
    throw outOfRange(`costs.overrides.${name}`, cycles, 0, runLimits.costCycles);
  }
  for (const [index, { repeat }] of enclaves.entries()) {
    if (Number.isInteger(repeat) && repeat >= 1 && repeat <= runLimits.repeat) continue;
    throw outOfRange(`enclaves[${index}].repeat`, repeat, 1, runLimits.repeat);
  }
}

/** Cycles above 2^53 are not whole numbers any more. @throws MisuseError if `cycles` is not exact */
export function requireExactCycles(cycles: number): void {
  if (cycles <= Number.MAX_SAFE_INTEGER) return;
  throw new MisuseError(
    'The run took more than 2^53 cycles: its times are not exact.',
    [`cycles: about ${cycles.toExponential(2)}`],
    { hint: 'Lower costs, runs or repeat.' },
  );
}

function outOfRange(key: string, value: number, least: number, most: number): MisuseError {
  return new MisuseError(`${key} is out of range.`, [`given: ${value}`, `allowed: ${least} … ${most}`]);
}
