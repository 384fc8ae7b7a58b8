import type { PagingBlob } from '@epckit/interface';
import { HardwareMisuse } from './errors.js';

/** Size of an EPC page, and of its ciphertext, in bytes. */
export const PAGE_BYTES = 4096;
/** Size of a PCMD in bytes. */
export const PCMD_BYTES = 128;

/** Byte offsets in a PCMD, the metadata of an evicted page (SDM vol. 3D, 38.12). Little-endian. */
export const PcmdOffset = {
  /** SECINFO: 64 bytes, the flags first */
  SECINFO: 0,
  /** ENCLAVEID: 8 bytes, a hint that nobody authenticates */
  ENCLAVEID: 64,
  /** reserved: 40 bytes of zeros */
  RESERVED: 72,
  /** MAC: 16 bytes */
  MAC: 112,
} as const;
/** High 32 bits of MAC. */
const MAC_HIGH = PcmdOffset.MAC + 12;
/** [model] Contents of a blob that has bytes: there is no tag. */
const NO_TAG = 0;

/** What a PCMD says. BLOCKED is not in it. */
export interface PcmdFields {
  /** Low 32 bits of SECINFO.FLAGS: permissions, PENDING, MODIFIED, PR and page type; the others are reserved. */
  readonly secinfo: number;
  /** ENCLAVEID; rounded above 2^53, which no model enclave reaches. */
  readonly enclaveId: number;
  /** MAC: 16 bytes. */
  readonly mac: Uint8Array;
}

/** An evicted page of the real mode: ciphertext and PCMD besides the numbers that the leaves look at. */
export interface ByteBlob extends PagingBlob {
  /** Ciphertext: 4096 bytes, what PAGEINFO.SRCPGE points to. */
  readonly page: Uint8Array;
  /** PCMD: 128 bytes. */
  readonly pcmd: Uint8Array;
}

/**
 * The 128 bytes of a PCMD.
 *
 * @throws HardwareMisuse for another size of the MAC
 */
export function encodePcmd({ secinfo, enclaveId, mac }: PcmdFields): Uint8Array {
  requireBytes(mac, PCMD_BYTES - PcmdOffset.MAC, 'A MAC');
  const pcmd = new Uint8Array(PCMD_BYTES);
  writePcmd(pcmd, secinfo, enclaveId);
  pcmd.set(mac, PcmdOffset.MAC);
  return pcmd;
}

/**
 * What the 128 bytes of a PCMD say; reserved bits and bytes are not judged.
 *
 * @throws HardwareMisuse for another number of bytes
 */
export function decodePcmd(pcmd: Uint8Array): PcmdFields {
  requireBytes(pcmd, PCMD_BYTES, 'A PCMD');
  const view = viewOf(pcmd);
  return {
    secinfo: view.getUint32(PcmdOffset.SECINFO, true),
    enclaveId: Number(view.getBigUint64(PcmdOffset.ENCLAVEID, true)),
    mac: pcmd.slice(PcmdOffset.MAC),
  };
}

/** A blob of zeros for EWB to fill. */
export function createByteBlob(): ByteBlob {
  return {
    contents: NO_TAG,
    secinfo: 0,
    enclaveId: 0,
    linearPage: 0,
    macLow: 0,
    macHigh: 0,
    page: new Uint8Array(PAGE_BYTES),
    pcmd: new Uint8Array(PCMD_BYTES),
  };
}

/**
 * The blob of a page that was kept as bytes, as ELDx takes it.
 *
 * Also the way to load bytes that were changed: the numbers of a blob follow its bytes at this moment only. Copies.
 *
 * @param linearPage LINADDR / 4096 as EWB returned it, `0` for SECS and VA: it is not in the PCMD
 * @throws HardwareMisuse for another number of bytes
 */
export function blobFromBytes(page: Uint8Array, pcmd: Uint8Array, linearPage: number): ByteBlob {
  requireBytes(page, PAGE_BYTES, 'An evicted page');
  requireBytes(pcmd, PCMD_BYTES, 'A PCMD');
  const blob = createByteBlob();
  blob.page.set(page);
  blob.pcmd.set(pcmd);
  const { secinfo, enclaveId } = decodePcmd(blob.pcmd);
  blob.secinfo = secinfo;
  blob.enclaveId = enclaveId;
  blob.linearPage = linearPage;
  numberMac(blob);
  return blob;
}

/** Fills all of a PCMD but its MAC. */
export function writePcmd(pcmd: Uint8Array, secinfo: number, enclaveId: number): void {
  pcmd.fill(0);
  const view = viewOf(pcmd);
  view.setUint32(PcmdOffset.SECINFO, secinfo, true);
  view.setBigUint64(PcmdOffset.ENCLAVEID, BigInt(enclaveId), true);
}

/** Notes both ends of the MAC in the numbers of a blob whose bytes are complete. */
export function numberMac(blob: ByteBlob): void {
  const view = viewOf(blob.pcmd);
  blob.contents = NO_TAG;
  blob.macLow = view.getUint32(PcmdOffset.MAC, true);
  blob.macHigh = view.getUint32(MAC_HIGH, true);
}

/** Do the numbers of a blob say what its bytes say? ENCLAVEID is a hint and may differ. */
export function agreesWithBytes(blob: Readonly<ByteBlob>): boolean {
  const view = viewOf(blob.pcmd);
  return (
    blob.contents === NO_TAG &&
    blob.secinfo === view.getUint32(PcmdOffset.SECINFO, true) &&
    blob.macLow >>> 0 === view.getUint32(PcmdOffset.MAC, true) &&
    blob.macHigh >>> 0 === view.getUint32(MAC_HIGH, true)
  );
}

/**
 * The same blob as one with bytes.
 *
 * @throws HardwareMisuse for a blob of the tag mode
 */
export function requireByteBlob<Blob extends Readonly<PagingBlob>>(blob: Blob): Blob & Readonly<ByteBlob> {
  const { page, pcmd } = blob as Partial<ByteBlob>;
  if (page?.length === PAGE_BYTES && pcmd?.length === PCMD_BYTES) return blob as Blob & Readonly<ByteBlob>;
  throw new HardwareMisuse(
    'In the real mode an evicted page has 4096 bytes of ciphertext and 128 bytes of PCMD.',
    [`given: page of ${page?.length ?? 'no'} bytes, PCMD of ${pcmd?.length ?? 'no'} bytes`],
    'Make blobs with createByteBlob, or with blobFromBytes.',
  );
}

/** @throws HardwareMisuse for another number of bytes */
export function requireBytes(bytes: Uint8Array, sizeBytes: number, what: string): void {
  if (bytes.length === sizeBytes) return;
  throw new HardwareMisuse(
    `${what} has ${sizeBytes} bytes.`,
    [`given: ${bytes.length} bytes`],
    'Pass exactly as many bytes, as a subarray if they are part of something larger.',
  );
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
