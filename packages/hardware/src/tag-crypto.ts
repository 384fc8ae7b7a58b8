import { finish, highWord, mixWord } from './mix.js';

/**
 * Message authentication of evicted pages on tags instead of bytes.
 *
 * The processor has a key (CR_BASE_PK) and AES-GCM; any keyed function with the same accept and reject behaviour
 * does. This one is a 2 × 32-bit hash: equal inputs always agree, a change of
 * any single word is always noticed (each round is a bijection), and it is no protection against an adversary.
 */
export class TagCrypto {
  /** Low half of the tag that {@link seal} computed last. */
  macLow = 0;
  /** High half of it. */
  macHigh = 0;
  #keyCount = 0;
  #keyLow = 0;
  #keyHigh = 0;

  constructor() {
    this.renewKey();
  }

  /** Replaces the key, so that no blob made before is accepted again. */
  renewKey(): void {
    this.#keyCount++;
    this.#keyLow = finish(mixWord(0x5ec2_1e77, this.#keyCount)) | 0;
    this.#keyHigh = finish(mixWord(0x1d5a_c0de, this.#keyCount)) | 0;
  }

  /** Computes the tag over everything that is bound to an evicted page (SDM vol. 3D, EWB). */
  seal(version: number, enclaveId: number, linearPage: number, secinfo: number, contents: number): void {
    let low = mixWord(this.#keyLow, version);
    let high = mixWord(this.#keyHigh, ~version);
    low = mixWord(low, highWord(version));
    high = mixWord(high, highWord(version));
    low = mixWord(low, enclaveId);
    high = mixWord(high, enclaveId);
    low = mixWord(low, highWord(enclaveId));
    high = mixWord(high, highWord(enclaveId));
    low = mixWord(low, linearPage);
    high = mixWord(high, linearPage);
    low = mixWord(low, highWord(linearPage));
    high = mixWord(high, highWord(linearPage));
    low = mixWord(low, secinfo);
    high = mixWord(high, secinfo);
    low = mixWord(low, contents);
    high = mixWord(high, contents);
    this.macLow = finish(mixWord(low, highWord(contents)));
    this.macHigh = finish(mixWord(high, highWord(contents)));
  }
}
