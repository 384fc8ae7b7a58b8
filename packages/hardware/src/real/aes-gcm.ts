import type { KeyObject } from 'node:crypto';
import { createCipheriv, createDecipheriv, createHash, createSecretKey } from 'node:crypto';
import type { PageCipher } from '../byte-contents.js';
import { requireBytes } from '../pcmd.js';

const ALGORITHM = 'aes-128-gcm';
const KEY_BYTES = 16;
const TAG_BYTES = 16;

/**
 * AES-128-GCM of `node:crypto` with a paging key (CR_BASE_PK) that is renewed when the power is lost.
 *
 * [model] A processor draws its keys at random. Here the n-th key follows from n and from `firstKey`, so that a run can
 * be repeated: what this cipher makes is no secret.
 */
export class AesGcm implements PageCipher {
  readonly #root: Uint8Array;
  #keyCount = 0;
  #key: KeyObject;

  /** @throws HardwareMisuse for a key that has not 16 bytes */
  constructor(firstKey?: Uint8Array) {
    if (firstKey !== undefined) requireBytes(firstKey, KEY_BYTES, 'A paging key');
    this.#root = Uint8Array.from(firstKey ?? []);
    this.#key = createSecretKey(firstKey === undefined ? this.#nextKey() : this.#root);
  }

  seal(
    counter: Uint8Array,
    header: Uint8Array,
    page: Uint8Array,
    ciphertext: Uint8Array,
    tag: Uint8Array,
  ): void {
    const cipher = createCipheriv(ALGORITHM, this.#key, counter, { authTagLength: TAG_BYTES });
    cipher.setAAD(header);
    ciphertext.set(cipher.update(page));
    cipher.final();
    tag.set(cipher.getAuthTag());
  }
  open(
    counter: Uint8Array,
    header: Uint8Array,
    ciphertext: Uint8Array,
    tag: Uint8Array,
    page: Uint8Array,
  ): boolean {
    const decipher = createDecipheriv(ALGORITHM, this.#key, counter, { authTagLength: TAG_BYTES });
    decipher.setAAD(header);
    decipher.setAuthTag(tag);
    page.set(decipher.update(ciphertext));
    try {
      decipher.final();
      return true;
    } catch {
      return false; // the tag is wrong
    }
  }
  renewKey(): void {
    this.#key = createSecretKey(this.#nextKey());
  }

  #nextKey(): Uint8Array {
    this.#keyCount++;
    const hash = createHash('sha256').update(this.#root).update(`CR_BASE_PK ${this.#keyCount}`);
    return hash.digest().subarray(0, KEY_BYTES);
  }
}
