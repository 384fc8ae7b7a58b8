/** A call that no software could make on a real processor: a broken argument, not a model outcome. */
export class HardwareMisuse extends Error {
  /** Name of the class. */
  override readonly name = 'HardwareMisuse';
  /** Stable code for programs. */
  readonly code = 'EPCKIT_HARDWARE_MISUSE';
  /** What was given and what is allowed. */
  readonly details: readonly string[];
  /** What to do about it. */
  readonly hint: string;

  constructor(message: string, details: readonly string[], hint: string) {
    super(message);
    this.details = details;
    this.hint = hint;
  }

  /** Plain data for reports. */
  toJSON(): Pick<HardwareMisuse, 'code' | 'message' | 'details' | 'hint'> {
    return { code: this.code, message: this.message, details: this.details, hint: this.hint };
  }
}

/** Refuses what is not one of `count` things that are numbered from 0. @throws HardwareMisuse */
export function requireIndex(index: number, count: number, what: string): void {
  if (Number.isInteger(index) && index >= 0 && index < count) return;
  throw new HardwareMisuse(
    `${what} must be a whole number below ${count}.`,
    [`given: ${index}`],
    'Count from 0, as in cpuCount and pageCount of the hardware.',
  );
}

/** Refuses numbers of things that are no positive integers below 2^31. @throws HardwareMisuse */
export function requireCounts(counts: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(counts)) {
    if (Number.isInteger(value) && value > 0 && value < 2 ** 31) continue;
    throw new HardwareMisuse(
      `${name} must be a positive integer below 2^31.`,
      [`given: ${value}`],
      'Count the EPC pages of all sections, and the logical processors.',
    );
  }
}
