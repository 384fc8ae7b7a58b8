/** The four launch key hash MSRs (IA32_SGXLEPUBKEYHASH0 … 3). */
export type HashMsrs = readonly [bigint, bigint, bigint, bigint];

/** Hash of Intel's launch key as the four MSRs hold it after reset. */
export const INTEL_HASH_MSRS: HashMsrs = [
  0xa6053e051270b7acn,
  0x6cfbe8ba8b3b413dn,
  0xc4916d99f2b3735dn,
  0xd4f8c05909f9bb3bn,
];

const QUADWORD_DIGITS = 16;

/** The hash that the MSRs hold, as 64 hexadecimal digits in the order of memory: lowest byte of each MSR first. */
export function launchKeyHashOf(msrs: readonly bigint[]): string {
  return msrs.map(bytesOf).join('');
}

/** Intel's launch key: what {@link INTEL_HASH_MSRS} hold, as 64 hexadecimal digits in the order of memory. */
export const INTEL_LAUNCH_KEY_HASH = launchKeyHashOf(INTEL_HASH_MSRS);

/** The four MSRs for a hash of 64 hexadecimal digits in the order of memory. */
export function hashMsrsOf(hash: string): HashMsrs {
  const words = [0, 1, 2, 3].map((at) => hash.slice(at * QUADWORD_DIGITS, (at + 1) * QUADWORD_DIGITS));
  return words.map((digits) => BigInt(`0x${reversed(digits)}`)) as unknown as HashMsrs;
}

function bytesOf(quadword: bigint): string {
  const digits = quadword.toString(16).padStart(QUADWORD_DIGITS, '0');
  return reversed(digits);
}

/** The bytes in the other order. */
function reversed(digits: string): string {
  return (digits.match(/../g) as string[]).reverse().join('');
}
