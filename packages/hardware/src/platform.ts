import type { CpuId } from '@epckit/interface';
import { requireIndex } from './errors.js';
import { fromHex, toHex } from './sha256.js';
import { requireLength } from './sigstruct.js';

/**
 * Reset value of the launch key hash (SDM vol. 3D, IA32_SGXLEPUBKEYHASH0 … 3, Skylake), as the SHA-256 that the four
 * little-endian quadwords hold.
 */
export const INTEL_LAUNCH_KEY_HASH = hashOf([
  0xa6053e051270b7acn,
  0x6cfbe8ba8b3b413dn,
  0xc4916d99f2b3735dn,
  0xd4f8c05909f9bb3bn,
]);

/** State of the package and of its logical processors that a few leaves look at, and that software can set. */
export class Platform {
  /** XCR0 of every processor: state components that the system software has enabled. */
  xcr0: bigint;
  /** CR4.OSFXSR of every processor: entries need it. */
  osfxsr = true;
  /** CPUSVN: security version that the keys are derived from. */
  cpuSvn = 0;
  /** Security version of the loaded microcode; EUPDATESVN takes it over. */
  microcodeSvn = 0;
  /** EUPDATESVNs that will find no entropy. */
  entropyFailures = 0;
  #launchKeyHash = INTEL_LAUNCH_KEY_HASH;
  readonly #events: Uint16Array;
  readonly #shadowStacksOff: Uint8Array;

  constructor(cpuCount: number, xcr0: bigint) {
    this.xcr0 = xcr0;
    this.#events = new Uint16Array(cpuCount);
    this.#shadowStacksOff = new Uint8Array(cpuCount);
  }

  /** SHA-256 of the authorised launch key: IA32_SGXLEPUBKEYHASH0 … 3 as 64 hexadecimal digits. */
  get launchKeyHash(): string {
    return this.#launchKeyHash;
  }
  /** @throws HardwareMisuse for anything but 64 hexadecimal digits */
  set launchKeyHash(hash: string) {
    requireLength(fromHex(hash), 32, 'The launch key hash');
    this.#launchKeyHash = hash.toLowerCase();
  }

  /** The next `count` EINITs of the processor are interrupted (code 128). */
  raiseEvents(cpu: CpuId, count: number): void {
    requireIndex(cpu, this.#events.length, 'The logical processor');
    this.#events[cpu] = count;
  }
  /** Is an event pending? It is served then. */
  takeEvent(cpu: CpuId): boolean {
    const events = this.#events[cpu] as number;
    if (events === 0) return false;
    this.#events[cpu] = events - 1;
    return true;
  }
  /** CR4.CET of the processor; 1 to begin with. */
  hasShadowStacks(cpu: CpuId): boolean {
    return this.#shadowStacksOff[cpu] === 0;
  }
  /** Sets CR4.CET. */
  setShadowStacks(cpu: CpuId, on: boolean): void {
    requireIndex(cpu, this.#events.length, 'The logical processor');
    this.#shadowStacksOff[cpu] = on ? 0 : 1;
  }
}

function hashOf(quadwords: readonly bigint[]): string {
  const bytes = new DataView(new ArrayBuffer(32));
  for (const [at, word] of quadwords.entries()) bytes.setBigUint64(at * 8, word, true);
  return toHex(new Uint8Array(bytes.buffer));
}
