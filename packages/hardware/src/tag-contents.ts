import type { PagingBlob } from '@epckit/interface';
import { HardwareMisuse } from './errors.js';
import type { PageContents, TcsFields } from './page-contents.js';
import { REFUSED } from './page-contents.js';
import { TagCrypto } from './tag-crypto.js';

/** Tags are below this, so that CSSA of a TCS page fits above its tag. */
const CONTENTS_LIMIT = 2 ** 40;
/** Tags from here on are made by this file: they stand for a page with one quadword changed. */
const FIRST_CHANGED = 2 ** 39;
/** [model] NSSA of a TCS whose fields nobody has defined. */
const FRAME_COUNT = 2 ** 12;

/** A page that differs from the one of tag {@link before} in one quadword. */
interface Change {
  readonly before: number;
  readonly offset: number;
  readonly value: bigint;
}

/**
 * Contents as tags: integers from 0 to 2^39 - 1 that stand for 4096 bytes. No bytes are copied.
 *
 * [model] Quadword 0 of a page is its tag, all others are 0; a debugger's write makes a new tag that remembers the
 * change. Tags are values: they travel with EWB and ELDx, and a change is remembered until the power is lost. CSSA
 * of a TCS page is kept above its tag.
 */
export class TagContents implements PageContents {
  readonly #crypto = new TagCrypto();
  readonly #changes: Change[] = [];
  readonly #threads = new Map<number, TcsFields>();

  /** The TCS pages with this tag have these fields; without a definition entries do not look at them. */
  defineThread(tag: number, fields: TcsFields): void {
    this.#threads.set(tag, fields);
  }

  zero(): number {
    return 0;
  }
  adopt(source: number | Uint8Array): number {
    if (typeof source === 'number' && Number.isInteger(source) && source >= 0 && source < FIRST_CHANGED) {
      return source;
    }
    throw new HardwareMisuse(
      'In the tag mode contents must be an integer from 0 to 2^39 - 1.',
      [`given: ${typeof source === 'number' ? source : `${source.length} bytes`}`],
      'Number the contents or hash them to 39 bits; use the real mode for bytes.',
    );
  }
  release(): void {}
  copy(handle: number): number {
    return handle % CONTENTS_LIMIT;
  }

  read(handle: number, offset: number): bigint {
    let tag = handle % CONTENTS_LIMIT;
    for (;;) {
      const change = this.#changes[tag - FIRST_CHANGED];
      if (change === undefined) return offset === 0 ? BigInt(tag) : 0n;
      if (change.offset === offset) return change.value;
      tag = change.before;
    }
  }
  write(handle: number, offset: number, value: bigint): number {
    const before = handle % CONTENTS_LIMIT;
    const fields = this.#threads.get(before);
    const tag = FIRST_CHANGED + this.#changes.push({ before, offset, value }) - 1;
    if (fields !== undefined) this.#threads.set(tag, offset === 8 ? { ...fields, flags: value } : fields);
    return tag + handle - before;
  }
  measure(handle: number, offset: number, into: Uint8Array): void {
    into.fill(0);
    const isPlain = handle % CONTENTS_LIMIT < FIRST_CHANGED;
    if (isPlain && offset !== 0) return;
    const view = new DataView(into.buffer, into.byteOffset);
    for (let at = 0; at < (isPlain ? 8 : 256); at += 8)
      view.setBigUint64(at, this.read(handle, offset + at), true);
  }

  thread(handle: number): TcsFields | null {
    const fields = this.#threads.get(handle % CONTENTS_LIMIT);
    return fields === undefined ? null : { ...fields, frame: this.frame(handle) };
  }
  resetThread(handle: number): number {
    const fields = this.#threads.get(handle);
    if (fields === undefined || (fields.flags & 1n) === 0n) return handle;
    return this.write(handle, 8, fields.flags & ~1n);
  }
  frame(handle: number): number {
    return Math.floor(handle / CONTENTS_LIMIT);
  }
  addFrames(handle: number, count: number): number {
    return handle + count * CONTENTS_LIMIT;
  }
  setExitPointer(handle: number): number {
    return handle;
  }

  seal(
    version: number,
    enclaveId: number,
    linearPage: number,
    secinfo: number,
    handle: number,
    blob: PagingBlob,
  ): void {
    const crypto = this.#crypto;
    crypto.seal(version, enclaveId, linearPage, secinfo, handle);
    blob.contents = handle;
    blob.macLow = crypto.macLow;
    blob.macHigh = crypto.macHigh;
  }
  open(version: number, enclaveId: number, blob: Readonly<PagingBlob>): number {
    const crypto = this.#crypto;
    crypto.seal(version, enclaveId, blob.linearPage, blob.secinfo, blob.contents);
    return crypto.macLow === blob.macLow && crypto.macHigh === blob.macHigh ? blob.contents : REFUSED;
  }
  /** [model] The contents tag of an evicted SECS or VA page is its version. */
  sealImage(version: number, secinfo: number, _image: () => Uint8Array, blob: PagingBlob): void {
    this.seal(version, 0, 0, secinfo, version, blob);
  }
  isImageAuthentic(version: number, blob: Readonly<PagingBlob>): boolean {
    return this.open(version, 0, blob) !== REFUSED;
  }
  renewKey(): void {
    this.#crypto.renewKey();
  }
  clear(): void {
    this.#changes.length = 0;
    for (const tag of this.#threads.keys()) if (tag >= FIRST_CHANGED) this.#threads.delete(tag);
  }
}

/** Number of save state frames of a TCS page. */
export function frameCountOf(fields: TcsFields | null): number {
  return fields === null ? FRAME_COUNT : fields.frameCount;
}
