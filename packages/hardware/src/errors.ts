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
