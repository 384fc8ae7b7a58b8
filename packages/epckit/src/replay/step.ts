import { MisuseError } from '@epckit/interface';
import type { ScriptStep } from './script.js';

/** A step in its long form. */
export type StepObject = Readonly<Record<string, unknown>> & { readonly op: string };

/** The long form of a step: `["t", enclave, page, cpu, write]` is a touch. */
export function longForm(step: ScriptStep): StepObject {
  if (!isShort(step)) return step;
  const [, encl, page, cpu = 0, write = 0] = step;
  return { op: 'touch', encl, page, cpu, write };
}

function isShort(step: ScriptStep): step is Extract<ScriptStep, readonly unknown[]> {
  return Array.isArray(step);
}

/** A number of the step; strings are hexadecimal. @throws MisuseError if it is neither */
export function number(step: StepObject, key: string, fallback: number): number {
  const value = step[key];
  if (value === undefined) return fallback;
  const result = typeof value === 'string' ? Number.parseInt(value, 16) : value;
  if (typeof result === 'number' && Number.isFinite(result)) return result;
  throw new MisuseError(`'${key}' of step '${step.op}' must be a number, not ${JSON.stringify(value)}.`);
}

/** A text of the step. @throws MisuseError if it is missing or no text */
export function text(step: StepObject, key: string, fallback?: string): string {
  const value = step[key] ?? fallback;
  if (typeof value === 'string') return value;
  throw new MisuseError(`'${key}' of step '${step.op}' must be a text, not ${JSON.stringify(value)}.`);
}

/** Is the key set to something true? */
export function flag(step: StepObject, key: string): boolean {
  return Boolean(step[key]);
}
