import type { PagingBlob } from '@epckit/interface';

/** What {@link PageContents.open} returns for a blob that is not authentic. */
export const REFUSED = -1;

/** Fields of a TCS that entries and EACCEPT look at (SDM vol. 3D, 38.8). Offsets are in bytes from BASEADDR. */
export interface TcsFields {
  /** STATE as the bytes have it: 0 inactive. A TCS that is entered is active in the EPCM column. */
  readonly state: bigint;
  /** FLAGS: bit 0 DBGOPTIN, bit 1 AEXNOTIFY. */
  readonly flags: bigint;
  /** OSSA: offset of the first save state frame. */
  readonly saveArea: bigint;
  /** CSSA: index of the next free frame. */
  readonly frame: number;
  /** NSSA: number of frames. */
  readonly frameCount: number;
  /** OENTRY: offset of the entry point. */
  readonly entry: bigint;
  /** AEP of the last entry. */
  readonly exitPointer: bigint;
  /** OFSBASE. */
  readonly fsBase: bigint;
  /** OGSBASE. */
  readonly gsBase: bigint;
  /** FSLIMIT. */
  readonly fsLimit: number;
  /** GSLIMIT. */
  readonly gsLimit: number;
  /** PREVSSP; offset unconfirmed. */
  readonly previousShadowStack: bigint;
  /** Are all reserved bytes 0? */
  readonly isReservedZero: boolean;
}

/**
 * The 4096 bytes of child pages and how they are encrypted: tags that stand for them, or real bytes.
 *
 * A page's contents are one number, its handle, kept in the EPCM. A handle belongs to one page; what changes
 * contents takes the old handle and returns the new one. Functions on the eviction path do not allocate in the tag
 * mode.
 */
export interface PageContents {
  /** Handle of a page of zeros. */
  zero(): number;
  /** Takes over what EADD copies: a tag, or 4096 bytes. @throws HardwareMisuse for what this mode cannot hold */
  adopt(source: number | Uint8Array): number;
  /** The page is gone without being saved. */
  release(handle: number): void;
  /** EACCEPTCOPY: a page with the same bytes. */
  copy(handle: number): number;
  /** The 8 bytes at `offset` (a multiple of 8), little-endian. */
  read(handle: number, offset: number): bigint;
  /** Replaces the 8 bytes at `offset`. */
  write(handle: number, offset: number, value: bigint): number;
  /** Copies the 256 bytes from `offset` into `into`, for EEXTEND. */
  measure(handle: number, offset: number, into: Uint8Array): void;

  /** Fields of a TCS page, null if this mode does not know them. */
  thread(handle: number): TcsFields | null;
  /** Clears what EADD clears in a TCS: STATE, DBGOPTIN, CSSA and AEP. */
  resetThread(handle: number): number;
  /** CSSA of a TCS page. */
  frame(handle: number): number;
  /** Adds to CSSA. */
  addFrames(handle: number, count: number): number;
  /** Notes AEP at an entry, in bytes. */
  setExitPointer(handle: number, address: bigint): number;

  /** EWB of a child page: fills contents and MAC of `blob`; the handle is given up. */
  seal(
    version: number,
    enclaveId: number,
    linearPage: number,
    secinfo: number,
    handle: number,
    blob: PagingBlob,
  ): void;
  /** ELDx of a child page. @returns its handle, or {@link REFUSED} */
  open(version: number, enclaveId: number, blob: Readonly<PagingBlob>): number;
  /** EWB of a SECS or VA page, whose 4096 bytes `image` gives if they are needed. */
  sealImage(version: number, secinfo: number, image: () => Uint8Array, blob: PagingBlob): void;
  /** ELDx of a SECS or VA page: is the blob authentic? */
  isImageAuthentic(version: number, blob: Readonly<PagingBlob>): boolean;
  /** Replaces the paging key: no blob made before is accepted again. */
  renewKey(): void;
  /** Loss of power: all contents are gone. */
  clear(): void;
}
