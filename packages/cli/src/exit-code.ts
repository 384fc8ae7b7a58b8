/** Exit codes of the command; part of its interface. */
export const ExitCode = {
  /** Everything as it should be. */
  CLEAN: 0,
  /** A comparison failed, or a script holds an operation that is not supported. */
  FAILED: 1,
  /** Wrong use: arguments, a scenario, a script, a trace, an output file. */
  MISUSE: 2,
  /** An unexpected error: a defect of epckit. */
  INTERNAL: 3,
} as const;

/** Value of {@link ExitCode}. */
export type ExitCodeValue = (typeof ExitCode)[keyof typeof ExitCode];
