import type { PageIndex } from '@epckit/interface';
import type { Parts } from './parts.js';
import { fromHex } from './sha256.js';
import { SLOT_COUNT } from './version-arrays.js';

const PAGE_BYTES = 4096;
/** [model] Where the hidden fields of a SECS are in its page; the SDM leaves it to the processor. */
const HIDDEN_OFFSET = 1024;

/** The 4096 bytes of a SECS or VA page, as EWB encrypts them in the real mode (SDM vol. 3D, 38.7 and 38.18). */
export function imageOf(parts: Parts, page: PageIndex): Uint8Array {
  return parts.epcm.isSecs(page) ? secsImage(parts, page) : arrayImage(parts, page);
}

function arrayImage({ epcm, versions }: Parts, page: PageIndex): Uint8Array {
  const view = new DataView(new ArrayBuffer(PAGE_BYTES));
  const array = epcm.link(page);
  for (let slot = 0; slot < SLOT_COUNT; slot++) {
    view.setBigUint64(slot * 8, BigInt(versions.get(array, slot)), true);
  }
  return new Uint8Array(view.buffer);
}

function secsImage({ epcm, secsTable }: Parts, page: PageIndex): Uint8Array {
  const slot = epcm.link(page);
  const entry = secsTable.entry(slot);
  const bytes = new Uint8Array(PAGE_BYTES);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(entry.pageCount) * 4096n, true);
  view.setBigUint64(8, BigInt(entry.basePage) * 4096n, true);
  view.setUint32(16, entry.ssaFrameSize, true);
  view.setUint32(20, entry.miscSelect, true);
  view.setBigUint64(24, entry.cetBitmapOffset, true);
  view.setUint8(32, entry.cetAttributes);
  view.setBigUint64(48, BigInt(entry.attributes), true);
  view.setBigUint64(56, entry.xfrm, true);
  bytes.set(fromHex(entry.measurement), 64);
  bytes.set(fromHex(entry.signer), 128);
  if (entry.configId !== null) bytes.set(entry.configId, 192);
  view.setUint16(256, entry.productId, true);
  view.setUint16(258, entry.securityVersion, true);
  view.setUint16(260, entry.configSvn, true);
  view.setBigUint64(HIDDEN_OFFSET, BigInt(entry.enclaveId), true);
  view.setBigUint64(HIDDEN_OFFSET + 8, BigInt(secsTable.virtualChildren(slot)), true);
  for (const [index, word] of secsTable.measureState(slot).entries()) {
    view.setUint32(HIDDEN_OFFSET + 16 + index * 4, word, true);
  }
  return bytes;
}
