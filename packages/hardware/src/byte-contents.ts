import type { PagingBlob } from '@epckit/interface';
import { HardwareMisuse } from './errors.js';
import type { PageContents, TcsFields } from './page-contents.js';
import { REFUSED } from './page-contents.js';
import type { ByteBlob } from './pcmd.js';
import {
  agreesWithBytes,
  numberMac,
  PAGE_BYTES,
  PcmdOffset,
  requireByteBlob,
  requireBytes,
  writePcmd,
} from './pcmd.js';

/** Size of the initial counter in bytes. */
const COUNTER_BYTES = 12;
/** Size of the authenticated header in bytes. */
const HEADER_BYTES = 128;
/** [model] Where things are in the header: the SDM does not publish its layout. The last 8 bytes are 0. */
const HeaderOffset = { EID: 0, LINADDR: 8, SECINFO: 16, RESERVED: 80 } as const;
/** Linear pages are below this. */
const LINEAR_PAGE_LIMIT = 2 ** 52;

/** Byte offsets in a TCS (SDM vol. 3D, 38.8); those of OCETSSA and PREVSSP are unconfirmed. */
const TcsOffset = {
  STATE: 0,
  FLAGS: 8,
  OSSA: 16,
  CSSA: 24,
  NSSA: 28,
  OENTRY: 32,
  AEP: 40,
  OFSBASE: 48,
  OGSBASE: 56,
  FSLIMIT: 64,
  GSLIMIT: 68,
  OCETSSA: 72,
  PREVSSP: 80,
  RESERVED: 88,
} as const;
/** TCS.FLAGS.DBGOPTIN. */
const DBGOPTIN = 1n;
/** First handle. 0 stands for no page: entries of SECS and VA pages have it. */
const FIRST_HANDLE = 1;

/**
 * Encrypts evicted pages: AES-128-GCM with the paging key (CR_BASE_PK), or anything that accepts and refuses like it.
 *
 * Must not keep the arrays it gets. A call costs whatever 4096 bytes cost.
 */
export interface PageCipher {
  /** Encrypts the 4096 bytes of `page` into `ciphertext` and writes the 16 bytes of `tag`. */
  seal(
    counter: Uint8Array,
    header: Uint8Array,
    page: Uint8Array,
    ciphertext: Uint8Array,
    tag: Uint8Array,
  ): void;
  /** Decrypts `ciphertext` into `page`. @returns false if it is not authentic; then `page` may hold anything */
  open(
    counter: Uint8Array,
    header: Uint8Array,
    ciphertext: Uint8Array,
    tag: Uint8Array,
    page: Uint8Array,
  ): boolean;
  /** Replaces the key: nothing that was sealed before is accepted again. */
  renewKey(): void;
}

/** Switches of {@link ByteContents}. */
export interface ByteContentsOptions {
  /**
   * Does the processor have CET, so that OCETSSA and PREVSSP of a TCS are fields and not reserved bytes? Must be what
   * the features of the hardware say; `false` if left out.
   */
  readonly cet?: boolean | undefined;
}

/**
 * Contents as real bytes: 4096 per child page, encrypted by EWB and decrypted by ELDx.
 *
 * A handle is the number of a page in a pool, from 1; pages of the pool are used again. Blobs must have bytes: see
 * `createByteBlob`.
 */
export class ByteContents implements PageContents {
  readonly #cipher: PageCipher;
  readonly #reservedFrom: number;
  readonly #pages: Uint8Array[] = [];
  readonly #views: DataView[] = [];
  readonly #isUsed: boolean[] = [];
  readonly #free: number[] = [];
  readonly #counter = new Uint8Array(COUNTER_BYTES);
  readonly #header = new Uint8Array(HEADER_BYTES);
  readonly #scratch = new Uint8Array(PAGE_BYTES);
  /** Pages of the pool, in use or free. */
  #taken = 0;

  constructor(cipher: PageCipher, options: ByteContentsOptions = {}) {
    this.#cipher = cipher;
    this.#reservedFrom = options.cet === true ? TcsOffset.RESERVED : TcsOffset.OCETSSA;
  }

  /** Number of pages in use, for leak tests. */
  get pageCount(): number {
    return this.#taken - this.#free.length;
  }
  /** The 4096 bytes of a page: a view that is valid until the page goes. @throws HardwareMisuse for a handle that is not in use */
  bytes(handle: number): Uint8Array {
    this.#require(handle);
    return this.#pages[handle] as Uint8Array;
  }

  zero(): number {
    const handle = this.#take();
    this.bytes(handle).fill(0);
    return handle;
  }
  adopt(source: number | Uint8Array): number {
    if (typeof source === 'number') {
      throw new HardwareMisuse(
        'In the real mode contents must be 4096 bytes.',
        [`given: the number ${source}`],
        'Pass a Uint8Array of 4096 bytes, with eaddBytes instead of eadd; numbers belong to the tag mode.',
      );
    }
    requireBytes(source, PAGE_BYTES, 'A page');
    const handle = this.#take();
    this.bytes(handle).set(source);
    return handle;
  }
  release(handle: number): void {
    this.#require(handle);
    this.#isUsed[handle] = false;
    this.#free.push(handle);
  }
  copy(handle: number): number {
    return this.adopt(this.bytes(handle));
  }

  read(handle: number, offset: number): bigint {
    return this.#view(handle).getBigUint64(offset, true);
  }
  write(handle: number, offset: number, value: bigint): number {
    this.#view(handle).setBigUint64(offset, value, true);
    return handle;
  }
  measure(handle: number, offset: number, into: Uint8Array): void {
    into.set(this.bytes(handle).subarray(offset, offset + 256));
  }

  thread(handle: number): TcsFields {
    const view = this.#view(handle);
    return {
      state: view.getBigUint64(TcsOffset.STATE, true),
      flags: view.getBigUint64(TcsOffset.FLAGS, true),
      saveArea: view.getBigUint64(TcsOffset.OSSA, true),
      frame: view.getUint32(TcsOffset.CSSA, true),
      frameCount: view.getUint32(TcsOffset.NSSA, true),
      entry: view.getBigUint64(TcsOffset.OENTRY, true),
      exitPointer: view.getBigUint64(TcsOffset.AEP, true),
      fsBase: view.getBigUint64(TcsOffset.OFSBASE, true),
      gsBase: view.getBigUint64(TcsOffset.OGSBASE, true),
      fsLimit: view.getUint32(TcsOffset.FSLIMIT, true),
      gsLimit: view.getUint32(TcsOffset.GSLIMIT, true),
      previousShadowStack: view.getBigUint64(TcsOffset.PREVSSP, true),
      isReservedZero: this.bytes(handle).subarray(this.#reservedFrom).every(isZero),
    };
  }
  resetThread(handle: number): number {
    const view = this.#view(handle);
    view.setBigUint64(TcsOffset.STATE, 0n, true);
    view.setBigUint64(TcsOffset.FLAGS, view.getBigUint64(TcsOffset.FLAGS, true) & ~DBGOPTIN, true);
    view.setUint32(TcsOffset.CSSA, 0, true);
    view.setBigUint64(TcsOffset.AEP, 0n, true);
    return handle;
  }
  frame(handle: number): number {
    return this.#view(handle).getUint32(TcsOffset.CSSA, true);
  }
  addFrames(handle: number, count: number): number {
    this.#view(handle).setUint32(TcsOffset.CSSA, this.frame(handle) + count, true);
    return handle;
  }
  setExitPointer(handle: number, address: bigint): number {
    return this.write(handle, TcsOffset.AEP, address);
  }

  seal(
    version: number,
    enclaveId: number,
    linearPage: number,
    secinfo: number,
    handle: number,
    blob: PagingBlob,
  ): void {
    writePcmd(requireByteBlob(blob).pcmd, secinfo, enclaveId);
    this.#seal(version, enclaveId, linearPage, this.bytes(handle), requireByteBlob(blob));
    this.release(handle);
  }
  open(version: number, enclaveId: number, blob: Readonly<PagingBlob>): number {
    const handle = this.#take();
    if (this.#open(version, enclaveId, requireByteBlob(blob), this.bytes(handle))) return handle;
    this.release(handle);
    return REFUSED;
  }
  /** ENCLAVEID of the PCMD is what the caller has put into `blob`: EID of a SECS, 0 for a VA page. */
  sealImage(version: number, secinfo: number, image: () => Uint8Array, blob: PagingBlob): void {
    writePcmd(requireByteBlob(blob).pcmd, secinfo, blob.enclaveId);
    this.#seal(version, 0, 0, image(), requireByteBlob(blob));
  }
  isImageAuthentic(version: number, blob: Readonly<PagingBlob>): boolean {
    return this.#open(version, 0, requireByteBlob(blob), this.#scratch);
  }
  renewKey(): void {
    this.#cipher.renewKey();
  }
  clear(): void {
    this.#pages.length = 0;
    this.#views.length = 0;
    this.#isUsed.length = 0;
    this.#free.length = 0;
    this.#taken = 0;
  }

  /** The PCMD must be complete but for its MAC. */
  #seal(version: number, enclaveId: number, linearPage: number, page: Uint8Array, blob: ByteBlob): void {
    this.#prepare(version, enclaveId, linearPage, blob.pcmd);
    const tag = blob.pcmd.subarray(PcmdOffset.MAC);
    this.#cipher.seal(this.#counter, this.#header, page, blob.page, tag);
    numberMac(blob);
  }
  #open(version: number, enclaveId: number, blob: Readonly<ByteBlob>, into: Uint8Array): boolean {
    const { linearPage } = blob;
    if (!Number.isInteger(linearPage) || linearPage < 0 || linearPage >= LINEAR_PAGE_LIMIT) return false;
    if (!agreesWithBytes(blob)) return false;
    this.#prepare(version, enclaveId, linearPage, blob.pcmd);
    const tag = blob.pcmd.subarray(PcmdOffset.MAC);
    return this.#cipher.open(this.#counter, this.#header, blob.page, tag, into);
  }

  /** Counter: the version shifted left by 32 bits. Header: all that is bound to the page and not encrypted. */
  #prepare(version: number, enclaveId: number, linearPage: number, pcmd: Uint8Array): void {
    new DataView(this.#counter.buffer).setBigUint64(4, BigInt(version), true);
    const header = this.#header;
    const view = new DataView(header.buffer);
    view.setBigUint64(HeaderOffset.EID, BigInt(enclaveId), true);
    view.setBigUint64(HeaderOffset.LINADDR, BigInt(linearPage) * 4096n, true);
    header.set(pcmd.subarray(PcmdOffset.SECINFO, PcmdOffset.ENCLAVEID), HeaderOffset.SECINFO);
    header.set(pcmd.subarray(PcmdOffset.RESERVED, PcmdOffset.MAC), HeaderOffset.RESERVED);
  }

  #take(): number {
    const handle = this.#free.pop() ?? this.#grow();
    this.#isUsed[handle] = true;
    return handle;
  }
  #grow(): number {
    const handle = FIRST_HANDLE + this.#taken;
    const page = new Uint8Array(PAGE_BYTES);
    this.#pages[handle] = page;
    this.#views[handle] = new DataView(page.buffer);
    this.#taken++;
    return handle;
  }
  #view(handle: number): DataView {
    this.#require(handle);
    return this.#views[handle] as DataView;
  }
  #require(handle: number): void {
    if (this.#isUsed[handle] === true) return;
    throw new HardwareMisuse(
      'The handle stands for no page.',
      [`given: ${handle}, pages in use: ${this.pageCount}`],
      'Use the handle that the EPCM entry of a valid child page has now.',
    );
  }
}

function isZero(byte: number): boolean {
  return byte === 0;
}
