import { Leaf } from '@epckit/interface';
import { finish, mixNumber, mixWord } from './mix.js';
import type { SecsTable } from './secs-table.js';

// The SDM's MRENCLAVE is SHA-256 over blocks that begin with the leaf's name. Contents are tags here, so the
// chain is a 2 × 32-bit hash over the same fields in the same order: two enclaves agree if and only if they
// were built alike, and the base address does not matter.

/** ECREATE: starts the chain with SSAFRAMESIZE and SIZE. */
export function measureCreate(table: SecsTable, slot: number): void {
  const { ssaFrameSize, pageCount } = table.entry(slot);
  extend(table, slot, Leaf.ECREATE, ssaFrameSize, pageCount);
}

/** EADD: offset in ELRANGE and SECINFO as installed. */
export function measureAdd(table: SecsTable, slot: number, linearPage: number, secinfo: number): void {
  extend(table, slot, Leaf.EADD, linearPage - table.entry(slot).basePage, secinfo);
}

/** EEXTEND: offset of the chunk in units of 256 bytes, and the tag of the contents. */
export function measureExtend(
  table: SecsTable,
  slot: number,
  linearPage: number,
  chunk: number,
  contents: number,
): void {
  extend(table, slot, Leaf.EEXTEND, (linearPage - table.entry(slot).basePage) * 16 + chunk, contents);
}

/** Measurement so far as 64 hexadecimal digits: the form of ENCLAVEHASH. */
export function measurementOf(table: SecsTable, slot: number): string {
  let text = '';
  for (let word = 0; word < 8; word++) {
    const half = word % 2 === 0 ? table.measureLow(slot) : table.measureHigh(slot);
    text += finish(mixWord(half, word)).toString(16).padStart(8, '0');
  }
  return text;
}

function extend(table: SecsTable, slot: number, leaf: number, first: number, second: number): void {
  const low = mixNumber(mixNumber(mixWord(table.measureLow(slot), leaf), first), second);
  const high = mixNumber(mixNumber(mixWord(table.measureHigh(slot), ~leaf), first), second);
  table.setMeasure(slot, low, high);
}
