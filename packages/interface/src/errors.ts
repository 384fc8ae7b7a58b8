/** Optional parts of an {@link EpckitError}. */
export interface ErrorParts {
  /** What the caller can do about it. */
  readonly hint?: string;
  /** Error that led to this one. */
  readonly cause?: unknown;
}

/**
 * Base of all errors that epckit throws: short message, detail lines, hint, machine-readable `code`.
 *
 * Recognise an error by its `code`, never by `instanceof`: an installation may hold two copies of a package.
 */
export class EpckitError extends Error {
  /** Stable identifier, such as `EPCKIT_INVARIANT`. */
  readonly code: string;
  /** What was given, what is allowed: one fact per line. */
  readonly details: readonly string[];
  /** What the caller can do about it. */
  readonly hint: string | undefined;

  constructor(code: string, message: string, details: readonly string[] = [], parts: ErrorParts = {}) {
    super(message, parts.cause === undefined ? undefined : { cause: parts.cause });
    this.name = new.target.name;
    this.code = code;
    this.details = details;
    this.hint = parts.hint;
  }

  /** Everything but the stack, for reports. */
  toJSON(): Record<string, unknown> {
    return {
      name: this.name,
      code: this.code,
      message: this.message,
      details: this.details,
      hint: this.hint,
    };
  }
}

/** A contract between packages was broken: a defect of the model or of a policy, never of the user's input. */
export class InvariantViolation extends EpckitError {
  constructor(message: string, details: readonly string[] = [], parts: ErrorParts = {}) {
    super('EPCKIT_INVARIANT', message, details, parts);
  }
}

/** A caller used an API or a file in a way that cannot work. */
export class MisuseError extends EpckitError {
  constructor(message: string, details: readonly string[] = [], parts: ErrorParts = {}) {
    super('EPCKIT_MISUSE', message, details, parts);
  }
}
