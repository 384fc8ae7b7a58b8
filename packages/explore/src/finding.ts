import { InvariantViolation } from '@epckit/interface';
import type { Case } from './case.js';
import type { FindingKind } from './execution.js';
import { replay } from './replay.js';
import { formatSchedule } from './schedule-text.js';
import type { TraceStep } from './trace.js';

/** An interleaving that goes wrong. */
export interface Finding {
  /** Name of the case. */
  readonly caseName: string;
  /** What kind of wrong. */
  readonly kind: FindingKind;
  /** What exactly. */
  readonly error: Error;
  /** Thread ids in the order in which they ran; print it with `formatSchedule`. */
  readonly schedule: readonly number[];
  /** The same, in words. */
  readonly trace: readonly TraceStep[];
}

/**
 * Turns a faulty execution into a finding by running it once more.
 *
 * @throws InvariantViolation if it does not go wrong again: the case is not deterministic
 */
export function createFinding(subject: Case, schedule: readonly number[], kind: FindingKind): Finding {
  // Overlaps are negative entries and no steps.
  const steps = schedule.filter((entry) => entry > 0).length;
  const options = kind === 'too-long' ? { maxSteps: steps } : {};
  const { fault, trace } = replay(subject, schedule, options);
  if (fault?.kind !== kind) {
    throw new InvariantViolation(`A finding in case '${subject.name}' did not come again.`, [
      `first: ${kind}, now: ${fault?.kind ?? 'nothing wrong'}`,
      `schedule: ${formatSchedule(schedule)}`,
    ]);
  }
  return { caseName: subject.name, kind, error: fault.error, schedule, trace };
}

/** How to print a finding. */
export interface FindingFormat {
  /** Command that reproduces the finding. Default: a call of `replay`. */
  readonly command?: (schedule: string, caseName: string) => string;
}

/** Prints a finding: its steps grouped by thread, the error, and how to see it again. */
export function formatFinding(finding: Finding, format: FindingFormat = {}): string {
  const { caseName, kind, error, trace } = finding;
  const schedule = formatSchedule(finding.schedule);
  const command = format.command ?? ((text, name) => `replay(case '${name}', '${text}')`);
  const details = (error as { details?: readonly string[] }).details ?? [];
  return [
    `${kind} in '${caseName}' after ${trace.length} steps`,
    '',
    ...traceLines(trace),
    '',
    `${error.name}: ${error.message}`,
    ...details.map((detail) => `  ${detail}`),
    `reproduce: ${command(schedule, caseName)}`,
  ].join('\n');
}

function traceLines(trace: readonly TraceStep[]): string[] {
  const width = Math.max(...trace.map((step) => step.announced.length), 0);
  const digits = `${trace.length}`.length;
  const lines: string[] = [];
  trace.forEach((step, index) => {
    if (step.thread !== trace[index - 1]?.thread) lines.push(`${step.threadName} (thread ${step.thread})`);
    const touched = step.touched.length === 0 ? '' : `  ${step.touched.join(', ')}`;
    const number = `${index + 1}`.padStart(digits);
    lines.push(`  ${number}  ${step.announced.padEnd(width)}${touched}`.trimEnd());
  });
  return lines;
}
