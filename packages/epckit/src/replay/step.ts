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

/**
 * A number of the step, not negative; strings are hexadecimal.
 *
 * @throws MisuseError if it is neither
 */
export function number(step: StepObject, key: string, fallback: number): number {
  const value = step[key];
  if (value === undefined) return fallback;
  const result = typeof value === 'string' ? fromHex(value) : value;
  if (typeof result === 'number' && Number.isFinite(result) && result >= 0) return result;
  throw new MisuseError(`'${key}' of step '${step.op}' must be a number, not ${JSON.stringify(value)}.`);
}

function fromHex(text: string): number {
  return /^(0x)?[0-9a-f]+$/i.test(text) ? Number.parseInt(text, 16) : Number.NaN;
}

/** A whole number of the step. @throws MisuseError if it is none */
export function integer(step: StepObject, key: string, fallback: number): number {
  const result = number(step, key, fallback);
  if (Number.isInteger(result)) return result;
  throw new MisuseError(`'${key}' of step '${step.op}' must be a whole number, not ${result}.`);
}

/** A text of the step. @throws MisuseError if it is missing or no text */
export function text(step: StepObject, key: string, fallback?: string): string {
  const value = step[key] ?? fallback;
  if (typeof value === 'string') return value;
  throw new MisuseError(`'${key}' of step '${step.op}' must be a text, not ${JSON.stringify(value)}.`);
}

/** One of some texts. @throws MisuseError if it is none of them */
export function choice<T extends string>(
  step: StepObject,
  key: string,
  allowed: readonly T[],
  fallback?: T,
): T {
  const value = text(step, key, fallback);
  if ((allowed as readonly string[]).includes(value)) return value as T;
  throw new MisuseError(`'${key}' of step '${step.op}' cannot be '${value}'.`, [
    `allowed: ${allowed.join(', ')}`,
  ]);
}

/** Is the key set? `true` and 1 say yes, `false` and 0 say no. @throws MisuseError if it is something else */
export function flag(step: StepObject, key: string, fallback = false): boolean {
  const value = step[key];
  if (value === undefined) return fallback;
  if (value === true || value === 1) return true;
  if (value === false || value === 0) return false;
  throw new MisuseError(`'${key}' of step '${step.op}' must be true or false, not ${JSON.stringify(value)}.`);
}
