import type { PageContents } from './page-contents.js';
import type { SecsTable } from './secs-table.js';
import {
  compressSha256,
  finishSha256,
  SHA256_BLOCK_BYTES,
  SHA256_STATE_WORDS,
  startSha256,
  toHex,
} from './sha256.js';

/** Words of a running measurement: the state of SHA-256, and the number of 64-byte blocks. */
export const MEASUREMENT_WORDS = SHA256_STATE_WORDS + 1;
const BLOCKS = SHA256_STATE_WORDS;
const CHUNK_BYTES = 256;

const block = new Uint8Array(SHA256_BLOCK_BYTES);
const blockView = new DataView(block.buffer);
const chunk = new Uint8Array(CHUNK_BYTES);

const NAMES = {
  ECREATE: nameBytes('ECREATE'),
  EADD: nameBytes('EADD'),
  EEXTEND: nameBytes('EEXTEND'),
};

/** ECREATE (SDM vol. 3D): starts MRENCLAVE with SSAFRAMESIZE, SIZE, and the bitmap offset where CET is enumerated. */
export function measureCreate(table: SecsTable, slot: number, hasCet: boolean): void {
  const { ssaFrameSize, pageCount, cetBitmapOffset } = table.entry(slot);
  const state = table.measureState(slot);
  startSha256(state, 0);
  state[BLOCKS] = 0;
  begin(NAMES.ECREATE);
  blockView.setUint32(8, ssaFrameSize, true);
  blockView.setBigUint64(12, BigInt(pageCount) * 4096n, true);
  if (hasCet) blockView.setBigUint64(20, cetBitmapOffset, true);
  hash(state, block, 0);
}

/** EADD (SDM vol. 3D): offset in ELRANGE and the first 48 bytes of SECINFO as installed. [corrected] SDM: bits 375:0. */
export function measureAdd(table: SecsTable, slot: number, linearPage: number, secinfo: number): void {
  begin(NAMES.EADD);
  blockView.setBigUint64(8, offsetOf(table, slot, linearPage), true);
  blockView.setUint32(16, secinfo, true);
  hash(table.measureState(slot), block, 0);
}

/** EEXTEND (SDM vol. 3D): offset of the chunk, then its 256 bytes. */
export function measureExtend(
  table: SecsTable,
  slot: number,
  linearPage: number,
  chunkIndex: number,
  contents: PageContents,
  handle: number,
): void {
  const state = table.measureState(slot);
  const offset = chunkIndex * CHUNK_BYTES;
  begin(NAMES.EEXTEND);
  blockView.setBigUint64(8, offsetOf(table, slot, linearPage) + BigInt(offset), true);
  hash(state, block, 0);
  contents.measure(handle, offset, chunk);
  for (let at = 0; at < CHUNK_BYTES; at += SHA256_BLOCK_BYTES) hash(state, chunk, at);
}

/** MRENCLAVE as it would be if the build ended now, 64 hexadecimal digits: the form of ENCLAVEHASH. */
export function measurementOf(table: SecsTable, slot: number): string {
  const state = table.measureState(slot);
  return toHex(finishSha256(state, 0, state[BLOCKS] as number));
}

function begin(name: Uint8Array): void {
  block.fill(0);
  block.set(name);
}

function hash(state: Uint32Array, bytes: Uint8Array, at: number): void {
  compressSha256(state, 0, bytes, at);
  state[BLOCKS] = (state[BLOCKS] as number) + 1;
}

function offsetOf(table: SecsTable, slot: number, linearPage: number): bigint {
  return BigInt(linearPage - table.entry(slot).basePage) * 4096n;
}

function nameBytes(name: string): Uint8Array {
  return Uint8Array.from(name, (letter) => letter.charCodeAt(0));
}
