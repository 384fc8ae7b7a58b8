import type { WakePolicy } from '@epckit/interface';
import { MisuseError } from '@epckit/interface';

/** Marks in pages. */
export interface WatermarkOptions {
  /** An allocation that leaves fewer free pages wakes the daemon (Linux `SGX_NR_LOW_PAGES`, 32). */
  readonly low: number;
  /** The daemon works until at least this many are free (Linux `SGX_NR_HIGH_PAGES`, 64). */
  readonly high: number;
}

/** Linux's two marks. @throws MisuseError unless `0 <= low <= high` and both are whole */
export function watermarks(options: WatermarkOptions): WakePolicy {
  const { low, high } = options;
  if (!Number.isInteger(low) || !Number.isInteger(high) || low < 0 || high < low) {
    throw new MisuseError('Watermarks must be whole numbers of pages with 0 <= low <= high.', [
      `low ${low}, high ${high}`,
    ]);
  }
  return {
    shouldWake: (free) => free < low,
    shouldContinue: (free) => free < high,
  };
}
