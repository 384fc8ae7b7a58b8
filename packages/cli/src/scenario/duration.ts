/** Cycles or seconds per unit. */
const SECONDS_PER_UNIT: Readonly<Record<string, number>> = { ns: 1e-9, us: 1e-6, ms: 1e-3, s: 1 };

/** Longest time of a scenario: a day. */
const MAX_SECONDS = 86_400;

/** What a time looks like, for editors. */
export const DURATION_PATTERN = '^\\d+(\\.\\d+)? ?(cycles|ns|us|ms|s)$';

/** A time as it was given: the clock of the machine tells the cycles. */
export interface Duration {
  /** Whole number of cycles, or null if it was given in seconds. */
  readonly cycles: number | null;
  /** Seconds; 0 if it was given in cycles. */
  readonly seconds: number;
}

/** A time, or what is wrong with it; the problem continues a sentence such as "horizon …". */
export type ParsedDuration = Duration | { readonly problem: string; readonly hint: string };

/** Reads a time with its unit, such as `20ms` or `70000 cycles`. Bare numbers are refused, except 0. */
export function parseDuration(value: unknown): ParsedDuration {
  if (value === 0) return { cycles: 0, seconds: 0 };
  if (typeof value === 'number')
    return { problem: `is ${value} without a unit`, hint: 'give a unit: 20ms, 5us or 70000 cycles' };
  const match = typeof value === 'string' ? /^(\d+(?:\.\d+)?) ?([A-Za-z]+)$/.exec(value.trim()) : null;
  const [, amount, unit] = match ?? [];
  if (amount === undefined || unit === undefined)
    return {
      problem: `is ${JSON.stringify(value)}, which is not a time`,
      hint: 'write 20ms, 5us or 70000 cycles',
    };
  if (unit === 'cycles') return ofCycles(amount);
  const seconds =
    Number(amount) * (Object.hasOwn(SECONDS_PER_UNIT, unit) ? SECONDS_PER_UNIT[unit]! : Number.NaN);
  if (Number.isNaN(seconds))
    return { problem: `has the unknown unit "${unit}"`, hint: 'units are cycles, ns, us, ms and s' };
  if (seconds > MAX_SECONDS)
    return { problem: `is ${value}, which is more than a day`, hint: 'at most 86400s' };
  return { cycles: null, seconds };
}

function ofCycles(amount: string): ParsedDuration {
  const cycles = Number(amount);
  if (Number.isSafeInteger(cycles)) return { cycles, seconds: 0 };
  return {
    problem: `is ${amount} cycles, which is not a whole number`,
    hint: 'give whole cycles, below 2^53',
  };
}

/** The time in cycles of a clock, rounded. */
export function durationToCycles({ cycles, seconds }: Duration, clockGhz: number): number {
  return cycles ?? Math.round(seconds * clockGhz * 1e9);
}
