import type { WakePolicy } from '@epckit/interface';
import { MisuseError, NONE } from '@epckit/interface';

/** Marks in pages. */
export interface WatermarkOptions {
  /** An allocation that leaves fewer free pages wakes the daemon (Linux `SGX_NR_LOW_PAGES`, 32). */
  readonly low: number;
  /** The daemon works until at least this many are free (Linux `SGX_NR_HIGH_PAGES`, 64). */
  readonly high: number;
  /**
   * Nodes with EPC among which the marks are divided for daemons that watch one node each: the count of one node is
   * compared with as large a part of the mark, rounded up. Default: 1.
   */
  readonly nodeCount?: number;
}

/** Linux's two marks. @throws MisuseError unless `0 <= low <= high` and both are whole, with at least one node */
export function watermarks(options: WatermarkOptions): WakePolicy {
  const { low, high, nodeCount = 1 } = options;
  if (!Number.isInteger(low) || !Number.isInteger(high) || low < 0 || high < low) {
    throw new MisuseError('Watermarks must be whole numbers of pages with 0 <= low <= high.', [
      `low ${low}, high ${high}`,
    ]);
  }
  if (!Number.isInteger(nodeCount) || nodeCount < 1) {
    throw new MisuseError(`Marks are for a whole number of nodes, at least 1, not ${nodeCount}.`);
  }
  const lowOfNode = Math.ceil(low / nodeCount);
  const highOfNode = Math.ceil(high / nodeCount);
  return {
    shouldWake: (free, node) => free < (node === NONE ? low : lowOfNode),
    shouldContinue: (free, node) => free < (node === NONE ? high : highOfNode),
  };
}
