import { z } from 'zod';
import { DURATION_PATTERN, type Duration, parseDuration } from './duration.js';
import { EPC_SIZE_PATTERN, parseEpcSize } from './epc-size.js';

/** A size with unit in the file, a number of pages in the result. */
export const epcSize = z.unknown().transform((value, context): number => {
  const size = parseEpcSize(value);
  if ('pageCount' in size) return size.pageCount;
  context.issues.push({ code: 'custom', message: size.problem, params: { hint: size.hint }, input: value });
  return z.NEVER;
});

/** What an editor should know of a size. */
export const sizeMeta = {
  type: 'string',
  pattern: EPC_SIZE_PATTERN,
  examples: ['8MiB', '2048 pages'],
} as const;

/** A time with unit. */
export const duration = z.unknown().transform((value, context): Duration => {
  const time = parseDuration(value);
  if ('seconds' in time) return time;
  context.issues.push({ code: 'custom', message: time.problem, params: { hint: time.hint }, input: value });
  return z.NEVER;
});

/** What an editor should know of a time. */
export const durationMeta = {
  type: 'string',
  pattern: DURATION_PATTERN,
  examples: ['20ms', '5us', '70000 cycles'],
} as const;
