import type { SecsSource } from '@epckit/interface';
import { Attribute, PAGE_SIZE_BYTES } from '@epckit/interface';
import type { KvmCpuidRegisters } from './cpuid.js';

/** What ECREATE of a guest is checked against. */
export interface SecsPolicy {
  /** Guest's leaf 0x12, sub-leaf 0: MISCSELECT in EBX, largest enclaves in EDX. */
  readonly sgxLeaf0: KvmCpuidRegisters;
  /** Guest's leaf 0x12, sub-leaf 1: ATTRIBUTES in EAX and EBX, XFRM in ECX and EDX. */
  readonly sgxLeaf1: KvmCpuidRegisters;
  /** State components that the guest can enable. */
  readonly supportedXcr0: bigint;
  /** May the enclave have PROVISIONKEY? */
  readonly isProvisioningAllowed: boolean;
}

/** Names of the rules, in the order in which they are looked at. */
export type SecsRule = 'provisioning' | 'miscSelect' | 'attributes' | 'xfrm' | 'size';

/** x87 and SSE: every enclave has them, whatever XCR0 says. */
const BASIC_STATE = 3n;

const RULES: readonly (readonly [SecsRule, (source: SecsSource, policy: SecsPolicy) => boolean])[] = [
  [
    'provisioning',
    ({ attributes }, { isProvisioningAllowed }) => {
      return (attributes & Attribute.PROVISIONKEY) !== 0 && !isProvisioningAllowed;
    },
  ],
  ['miscSelect', ({ miscSelect = 0 }, { sgxLeaf0 }) => (miscSelect & ~sgxLeaf0.ebx) !== 0],
  [
    'attributes',
    ({ attributes }, { sgxLeaf1 }) => {
      const high = Math.floor(attributes / 2 ** 32);
      return (attributes & ~sgxLeaf1.eax) !== 0 || (high & ~sgxLeaf1.ebx) !== 0;
    },
  ],
  [
    'xfrm',
    ({ xfrm = BASIC_STATE }, { sgxLeaf1, supportedXcr0 }) => {
      const offered = BigInt(sgxLeaf1.ecx >>> 0) | (BigInt(sgxLeaf1.edx >>> 0) << 32n);
      const isMissing = (xfrm & BASIC_STATE) !== BASIC_STATE;
      return isMissing || (xfrm & ~offered) !== 0n || (xfrm & ~(supportedXcr0 | BASIC_STATE)) !== 0n;
    },
  ],
  [
    'size',
    ({ pageCount, attributes }, { sgxLeaf0 }) => {
      const isWide = (attributes & Attribute.MODE64BIT) !== 0;
      return pageCount * PAGE_SIZE_BYTES >= 2 ** (isWide ? (sgxLeaf0.edx >>> 8) & 0xff : sgxLeaf0.edx & 0xff);
    },
  ],
];

/** First rule that forbids the enclave, or null. Each of them ends in #GP(0). */
export function refusedSecs(source: SecsSource, policy: SecsPolicy): SecsRule | null {
  return RULES.find(([, refuses]) => refuses(source, policy))?.[0] ?? null;
}
