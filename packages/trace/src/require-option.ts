import { TraceError } from './trace-error.js';

/**
 * Demands that an option is an integer in a closed range.
 *
 * @throws TraceError `EPCKIT_TRACE_BAD_OPTION`
 */
export function requireInteger(name: string, value: number, min: number, max: number): void {
  if (Number.isInteger(value) && value >= min && value <= max) return;
  throw new TraceError('EPCKIT_TRACE_BAD_OPTION', `Option "${name}" is ${String(value)}.`, {
    hint: `It must be an integer from ${min} to ${max}.`,
  });
}

/**
 * Demands that an option is a number in a closed range.
 *
 * @throws TraceError `EPCKIT_TRACE_BAD_OPTION`
 */
export function requireNumber(name: string, value: number, min: number, max: number): void {
  if (typeof value === 'number' && value >= min && value <= max) return;
  throw new TraceError('EPCKIT_TRACE_BAD_OPTION', `Option "${name}" is ${String(value)}.`, {
    hint: `It must be a number from ${min} to ${max}.`,
  });
}
