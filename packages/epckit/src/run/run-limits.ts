import type { CostName } from '@epckit/interface';
import { MisuseError } from '@epckit/interface';
import type { ScenarioCosts } from './costs.js';
import type { Scenario } from './scenario.js';

/** Largest values of a scenario: sums of cycles stay far below 2^53 in runs of hours. */
export const runLimits = {
  /** Most cycles of one operation: some 300 ms, 10,000 times what the slowest leaf takes. */
  costCycles: 1_000_000_000,
  /** Largest factor of the transition costs. */
  microcode: 100,
  /** Most repetitions of a trace. */
  repeat: 1_000_000,
} as const;

/** @throws MisuseError if a value of the scenario is above {@link runLimits} */
export function requireRunLimits({ costs, enclaves }: Scenario): void {
  for (const [name, cycles] of Object.entries(costs.overrides)) {
    if (cycles <= runLimits.costCycles) continue;
    throw outOfRange(`costs.overrides.${name}`, cycles, 0, runLimits.costCycles);
  }
  for (const [name, { min, typical, max }] of Object.entries(costs.own ?? {})) {
    const largest = Math.max(min, typical, max);
    if (largest <= runLimits.costCycles) continue;
    throw outOfRange(`costs.own.${name}`, largest, 0, runLimits.costCycles);
  }
  const factor = costs.microcode ?? 1;
  if (!(factor > 0 && factor <= runLimits.microcode)) {
    throw outOfRange('costs.microcode', factor, 'more than 0', runLimits.microcode);
  }
  requireDynamicCosts(costs, enclaves);
  for (const [index, { repeat }] of enclaves.entries()) {
    if (Number.isInteger(repeat) && repeat >= 1 && repeat <= runLimits.repeat) continue;
    throw outOfRange(`enclaves[${index}].repeat`, repeat, 1, runLimits.repeat);
  }
}

/** Entries that pages added on first touch need. */
export const dynamicCosts: readonly CostName[] = ['EAUG', 'EACCEPT', 'EMODPE'];

/** Does the machine of a cost table have SGX2? The client part has none, unless its costs are given. */
export function hasDynamicCosts({ table, own = {}, overrides }: ScenarioCosts): boolean {
  return table === 'server' || dynamicCosts.every((name) => name in own || name in overrides);
}

/** @throws MisuseError if pages are added on first touch on a machine that cannot do that */
function requireDynamicCosts(costs: ScenarioCosts, enclaves: Scenario['enclaves']): void {
  const index = enclaves.findIndex(({ dynamicShare = 0 }) => dynamicShare > 0);
  if (index < 0 || hasDynamicCosts(costs)) return;
  throw new MisuseError(`enclaves[${index}].dynamicShare needs SGX2, which the client table has not.`, [], {
    hint: `Take the server table, or give costs of ${dynamicCosts.join(', ')}.`,
  });
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

function outOfRange(key: string, value: number, least: number | string, most: number): MisuseError {
  return new MisuseError(`${key} is out of range.`, [`given: ${value}`, `allowed: ${least} … ${most}`]);
}
