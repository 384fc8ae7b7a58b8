import { CommanderError } from 'commander';
import { ExitCode, type ExitCodeValue } from './exit-code.js';
import type { CliIo } from './io.js';

/** The parts of an error that a person is shown; each may be missing in a foreign error. */
interface ErrorFacts {
  readonly code: string;
  readonly message: string;
  readonly details: readonly string[];
  readonly hint: string | undefined;
  readonly stack: string | undefined;
}

/** A broken contract inside the model: it has a code, but whoever called the command did nothing wrong. */
const DEFECT_CODES: ReadonlySet<string> = new Set(['EPCKIT_INVARIANT', 'EPCKIT_HARDWARE_MISUSE']);

/**
 * Prints an error that ended the command, and tells the exit code.
 *
 * Errors are told apart by `code`: `EPCKIT_…` is misuse unless it marks a defect, `commander.…` was printed
 * by the parser already, and everything else is a defect. The stack is shown with `EPCKIT_DEBUG=1` only.
 *
 * @param argv - arguments of the command, to name the call that shows a defect again
 */
export function reportError(error: unknown, argv: readonly string[], io: CliIo): ExitCodeValue {
  const facts = factsOf(error);
  if (error instanceof CommanderError || facts.code.startsWith('commander.')) {
    return (error as CommanderError).exitCode === 0 ? ExitCode.CLEAN : ExitCode.MISUSE;
  }
  const isMisuse = facts.code.startsWith('EPCKIT_') && !DEFECT_CODES.has(facts.code);
  const lines = [`epckit: ${facts.message}`, ...facts.details.map((detail) => `  ${detail}`)];
  if (facts.hint !== undefined) lines.push(`  hint: ${facts.hint}`);
  if (!isMisuse) {
    lines.push('  This is a defect of epckit. The command that shows it:');
    lines.push(`    epckit ${argv.map(quoteForShell).join(' ')}`);
    if (!isDebug(io)) lines.push('  EPCKIT_DEBUG=1 adds the stack.');
  }
  if (isDebug(io) && facts.stack !== undefined) lines.push(facts.stack);
  io.stderr.write(`${lines.join('\n')}\n`);
  return isMisuse ? ExitCode.MISUSE : ExitCode.INTERNAL;
}

function factsOf(error: unknown): ErrorFacts {
  const given: Readonly<Record<string, unknown>> =
    typeof error === 'object' && error !== null ? { ...error, ...ownFacts(error) } : {};
  return {
    code: typeof given['code'] === 'string' ? given['code'] : '',
    message: typeof given['message'] === 'string' ? given['message'] : String(error),
    details: Array.isArray(given['details']) ? given['details'].map(String) : [],
    hint: typeof given['hint'] === 'string' ? given['hint'] : undefined,
    stack: stackOf(error),
  };
}

/** The message of an Error is not enumerable, so that a spread loses it. */
function ownFacts(error: object): Readonly<Record<string, unknown>> {
  return error instanceof Error ? { message: error.message } : {};
}

/** Stacks of an error and of what has led to it: an error that got a place in front has its own only there. */
function stackOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const cause = error.cause === error ? undefined : stackOf(error.cause);
  return cause === undefined ? error.stack : `${error.stack}\ncaused by ${cause}`;
}

function isDebug(io: CliIo): boolean {
  return io.env['EPCKIT_DEBUG'] === '1';
}

function quoteForShell(argument: string): string {
  return /^[\w./:=@,+-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", "'\\''")}'`;
}
