import { NO_TYPE, TYPE_OF_LETTER } from './access-type.js';
import { hexWordValue } from './hex-word.js';
import type { OpenRunBatch } from './run-batch.js';

const LF = 10;
const SPACE = 32;

/** A line of this kind has at most 7 + 1 + 1 + 1 + 1 + 1 bytes. */
const LONGEST_LINE_BYTES = 12;

/**
 * Parses lines of the commonest shape, until one comes that is not: a page number of 3, 4 or 7
 * digits and a count of one digit.
 *
 * These are 98 to 99 % of the lines of the recorded traces. Words of four bytes instead of
 * single bytes save most branches: about 45 instead of 32 million lines/s. `view` spans `bytes`.
 *
 * Hot; measured by `bench/src/trace-decode.bench.ts`.
 *
 * @returns the offset of the first line that was not parsed: it may be good, bad, or `end`
 */
export function parseCommonLines(
  bytes: Uint8Array,
  view: DataView,
  start: number,
  end: number,
  batch: OpenRunBatch,
): number {
  const { pageNumber, type, count } = batch;
  const capacity = type.length;
  const lastStart = end - LONGEST_LINE_BYTES;
  let lineStart = start;
  let filled = batch.length;
  while (lineStart <= lastStart && filled < capacity) {
    let word = view.getInt32(lineStart);
    let page: number;
    let at: number;
    if ((word & 0xff) === SPACE) {
      page = hexWordValue((word >>> 8) | 0x3000_0000);
      at = lineStart + 3;
    } else if (bytes[lineStart + 7] === SPACE) {
      // Digits 4 to 7 overlap with the first word by one; a -1 of either makes the sum negative.
      const low = hexWordValue(view.getInt32(lineStart + 3));
      page = hexWordValue(word) * 0x1000 + (low < 0 ? -0x1000_0000 : low & 0xfff);
      at = lineStart + 7;
    } else {
      page = hexWordValue(word);
      at = lineStart + 4;
    }
    word = view.getInt32(at);
    if (page < 0 || (word & 0xff00_ff00) !== 0x2000_2000 || bytes[at + 4] !== LF) break;
    const accessType = TYPE_OF_LETTER[(word >>> 16) & 0xff] as number;
    const references = (word & 0xff) - 0x30;
    if (accessType === NO_TYPE || references < 1 || references > 9) break;
    pageNumber[filled] = page;
    type[filled] = accessType;
    count[filled] = references;
    filled++;
    lineStart = at + 5;
  }
  batch.length = filled;
  return lineStart;
}
