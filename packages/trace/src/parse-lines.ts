import { NO_TYPE, TYPE_OF_LETTER } from './access-type.js';
import { parseCommonLines } from './parse-common-lines.js';
import { MAX_RUN_COUNT, type OpenRunBatch } from './run-batch.js';

const LF = 10;
const SPACE = 32;
const NO_VALUE = 255;
const MAX_PAGE_DIGITS = 13;
const MAX_COUNT_DIGITS = 10;
const MAX_UNCOMMON_LINES = 4096;

const HEX_VALUE = new Uint8Array(256).fill(NO_VALUE);
for (let digit = 0; digit < 16; digit++) HEX_VALUE[digit.toString(16).charCodeAt(0)] = digit;

/**
 * Parses complete lines from `bytes[start, end)` into `batch` until the bytes or the batch run out.
 *
 * `bytes[end - 1]` must be LF, so that no check for the end is needed inside a line. Stopping
 * before `end` with room left in the batch means that the line at the returned offset is bad;
 * why it is bad is found out by `explainBadLine`, off the hot path.
 *
 * @returns the offset of the first byte that was not consumed, always a start of a line
 */
export function parseLines(bytes: Uint8Array, start: number, end: number, batch: OpenRunBatch): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const capacity = batch.type.length;
  let lineLimit = 1;
  let at = start;
  while (at < end && batch.length < capacity) {
    const uncommon = parseCommonLines(bytes, view, at, end, batch);
    // Where no line is common, ask less and less often.
    lineLimit = uncommon === at ? Math.min(lineLimit * 2, MAX_UNCOMMON_LINES) : 1;
    if (uncommon === end || batch.length === capacity) return uncommon;
    at = parseAnyLines(bytes, uncommon, end, batch, Math.min(capacity, batch.length + lineLimit));
    if (at === uncommon) break;
  }
  return at;
}

/**
 * Parses lines of any shape, byte by byte, until the batch holds `fillTo` runs.
 *
 * The page number is built by multiply-add in a double: user addresses need 35 bits.
 *
 * @returns the offset of the first line that was not parsed
 */
function parseAnyLines(
  bytes: Uint8Array,
  start: number,
  end: number,
  batch: OpenRunBatch,
  fillTo: number,
): number {
  const { pageNumber, type, count } = batch;
  let lineStart = start;
  let filled = batch.length;
  while (lineStart < end && filled < fillTo) {
    let at = lineStart;
    let page = 0;
    let digit = HEX_VALUE[bytes[at] as number] as number;
    while (digit !== NO_VALUE) {
      page = page * 16 + digit;
      digit = HEX_VALUE[bytes[++at] as number] as number;
    }
    const pageDigits = at - lineStart;
    if (pageDigits === 0 || pageDigits > MAX_PAGE_DIGITS || bytes[at] !== SPACE) break;
    const accessType = TYPE_OF_LETTER[bytes[at + 1] as number] as number;
    if (accessType === NO_TYPE || bytes[at + 2] !== SPACE) break;
    at += 3;
    const countStart = at;
    let references = 0;
    digit = HEX_VALUE[bytes[at] as number] as number;
    while (digit <= 9) {
      references = references * 10 + digit;
      digit = HEX_VALUE[bytes[++at] as number] as number;
    }
    if (bytes[at] !== LF || at - countStart > MAX_COUNT_DIGITS) break;
    if (references === 0 || references > MAX_RUN_COUNT) break;
    pageNumber[filled] = page;
    type[filled] = accessType;
    count[filled] = references;
    filled++;
    lineStart = at + 1;
  }
  batch.length = filled;
  return lineStart;
}
