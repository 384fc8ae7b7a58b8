/** Where a command writes text. */
export interface TextSink {
  /** Writes `text` as it is, without adding a line end. */
  write(text: string): void;
  /** Is it a terminal, on which a line may be drawn again and again? */
  readonly isTTY?: boolean | undefined;
  /** Width of the terminal in characters. */
  readonly columns?: number | undefined;
}

/** Everything that a command touches of the process around it, files apart. */
export interface CliIo {
  /** Results. */
  readonly stdout: TextSink;
  /** Progress and errors. */
  readonly stderr: TextSink;
  /** Folder that relative paths on the command line start from. */
  readonly cwd: string;
  /** Environment; only `EPCKIT_DEBUG` is looked at. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Returns the streams, folder and environment of this process. */
export function processIo(): CliIo {
  return { stdout: process.stdout, stderr: process.stderr, cwd: process.cwd(), env: process.env };
}
