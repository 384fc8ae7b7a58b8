/**
 * The real mode: EPC pages hold bytes, evicted pages are encrypted with AES-128-GCM, signatures are RSA-3072.
 *
 * Needs `node:crypto`; everything else of the package runs in a browser.
 *
 * @module
 */

import type { ByteContentsOptions } from '../byte-contents.js';
import { ByteContents } from '../byte-contents.js';
import { AesGcm } from './aes-gcm.js';

export { AesGcm } from './aes-gcm.js';
export { generateSigner, signSigStruct, verifySigStruct } from './rsa.js';

/** Options of {@link realContents}. */
export interface RealContentsOptions extends ByteContentsOptions {
  /** First paging key: 16 bytes. If left out, always the same one. */
  readonly key?: Uint8Array | undefined;
}

/**
 * Contents of real bytes for `createSgxHardware`, one for each hardware.
 *
 * @throws HardwareMisuse for a key that has not 16 bytes
 */
export function realContents(options: RealContentsOptions = {}): ByteContents {
  return new ByteContents(new AesGcm(options.key), options);
}
