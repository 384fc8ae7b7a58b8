/**
 * Every `code` of a {@link TraceError}.
 *
 * | Code | When |
 * |---|---|
 * | `EPCKIT_TRACE_NOT_FOUND` | no file of that name, or no sample of that name |
 * | `EPCKIT_TRACE_IS_DIRECTORY` | the path names a directory |
 * | `EPCKIT_TRACE_UNREADABLE` | the operating system or the stream refused (cause attached) |
 * | `EPCKIT_TRACE_EMPTY` | no run at all |
 * | `EPCKIT_TRACE_TRUNCATED_GZIP` | the gzip stream ends before its end mark |
 * | `EPCKIT_TRACE_CORRUPT_GZIP` | the gzip stream is damaged |
 * | `EPCKIT_TRACE_NOT_A_TRACE` | binary data, another text format, gzip of something else |
 * | `EPCKIT_TRACE_BAD_LINE` | a line that is not `<page> <type> <count>` |
 * | `EPCKIT_TRACE_TRUNCATED_LINE` | the last line has no LF |
 * | `EPCKIT_TRACE_BAD_RUN` | a run handed to the writer cannot be written |
 * | `EPCKIT_TRACE_UNWRITABLE` | the operating system refused the output (cause attached) |
 * | `EPCKIT_TRACE_BAD_OPTION` | an option or argument outside its range |
 */
export type TraceErrorCode =
  | 'EPCKIT_TRACE_NOT_FOUND'
  | 'EPCKIT_TRACE_IS_DIRECTORY'
  | 'EPCKIT_TRACE_UNREADABLE'
  | 'EPCKIT_TRACE_EMPTY'
  | 'EPCKIT_TRACE_TRUNCATED_GZIP'
  | 'EPCKIT_TRACE_CORRUPT_GZIP'
  | 'EPCKIT_TRACE_NOT_A_TRACE'
  | 'EPCKIT_TRACE_BAD_LINE'
  | 'EPCKIT_TRACE_TRUNCATED_LINE'
  | 'EPCKIT_TRACE_BAD_RUN'
  | 'EPCKIT_TRACE_UNWRITABLE'
  | 'EPCKIT_TRACE_BAD_OPTION';

/** Where in the input an error was found. */
export interface TraceErrorPlace {
  /** The path, or the name given to a stream. */
  readonly source?: string;
  /** The line, counted from 1. */
  readonly line?: number;
  /**
   * The offset of the offending byte, counted from 0: in the uncompressed text, or in the
   * compressed file for the two gzip codes.
   */
  readonly byteOffset?: number;
}

/** What a {@link TraceError} is made of, besides its code and message. */
export interface TraceErrorOptions extends TraceErrorPlace {
  /** What would be right. */
  readonly hint: string;
  /** The error underneath. */
  readonly cause?: unknown;
}

/** The form of a {@link TraceError} in JSON output. */
export interface TraceErrorJson extends TraceErrorPlace {
  /** Always `TraceError`. */
  readonly name: string;
  /** The stable code. */
  readonly code: TraceErrorCode;
  /** One sentence. */
  readonly message: string;
  /** What would be right. */
  readonly hint: string;
}

/**
 * A trace could not be read, written or generated.
 *
 * Recognise it by `code` or by {@link isTraceError}, not by `instanceof`: two copies of this
 * package in one process have two classes.
 */
export class TraceError extends Error {
  /** Always `TraceError`. */
  override readonly name = 'TraceError';
  /** The stable code; the message may change, the code does not. */
  readonly code: TraceErrorCode;
  /** What would be right, as one or two sentences. */
  readonly hint: string;
  /** The path, or the name given to a stream; undefined where no input is involved. */
  readonly source: string | undefined;
  /** The line, counted from 1; undefined where no line is involved. */
  readonly line: number | undefined;
  /** See {@link TraceErrorPlace.byteOffset}. */
  readonly byteOffset: number | undefined;

  /**
   * Makes an error; only this package needs to.
   *
   * @param code - the stable code
   * @param message - one sentence that names file, line and byte offset where known
   * @param options - hint, place and cause
   */
  constructor(code: TraceErrorCode, message: string, options: TraceErrorOptions) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.hint = options.hint;
    this.source = options.source;
    this.line = options.line;
    this.byteOffset = options.byteOffset;
  }

  /** Returns the plain form, without stack and cause. */
  toJSON(): TraceErrorJson {
    return {
      name: this.name,
      code: this.code,
      message: this.message,
      hint: this.hint,
      ...(this.source === undefined ? {} : { source: this.source }),
      ...(this.line === undefined ? {} : { line: this.line }),
      ...(this.byteOffset === undefined ? {} : { byteOffset: this.byteOffset }),
    };
  }
}

/** Tells whether a caught value is a {@link TraceError} of any copy of this package. */
export function isTraceError(value: unknown): value is TraceError {
  if (typeof value !== 'object' || value === null || !('code' in value)) return false;
  return typeof value.code === 'string' && value.code.startsWith('EPCKIT_TRACE_');
}
