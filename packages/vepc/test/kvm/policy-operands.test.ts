import type { SecsSource } from '@epckit/interface';
import { Attribute } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import type { AddressingMode, EnclsOutcome, SecsPolicy, SecsRule } from '../../src/index.js';
import { injectTrap, LONG_MODE, linearOperand, refusedSecs, Vector } from '../../src/index.js';

const policy: SecsPolicy = {
  sgxLeaf0: { eax: 3, ebx: 1, ecx: 0, edx: 0x241f },
  sgxLeaf1: { eax: 0xb6, ebx: 0, ecx: 0x2e7, edx: 0 },
  supportedXcr0: 0xe7n,
  isProvisioningAllowed: false,
};
const secs: SecsSource = { basePage: 0, pageCount: 16, attributes: Attribute.MODE64BIT, ssaFrameSize: 1 };
const { MODE64BIT, PROVISIONKEY, DEBUG, KSS } = Attribute;

const rows: [string, Partial<SecsSource>, Partial<SecsPolicy>, SecsRule | null][] = [
  ['an ordinary enclave', {}, {}, null],
  ['with all that is allowed', { attributes: MODE64BIT | DEBUG | KSS, miscSelect: 1, xfrm: 0xe7n }, {}, null],
  ['PROVISIONKEY (S-20)', { attributes: MODE64BIT | PROVISIONKEY }, {}, 'provisioning'],
  [
    'PROVISIONKEY that is allowed',
    { attributes: MODE64BIT | PROVISIONKEY },
    { isProvisioningAllowed: true },
    null,
  ],
  ['MISCSELECT outside EBX', { miscSelect: 2 }, {}, 'miscSelect'],
  ['ATTRIBUTES outside EAX', { attributes: MODE64BIT | Attribute.CET }, {}, 'attributes'],
  ['an attribute above bit 31', { attributes: 2 ** 32 + MODE64BIT }, {}, 'attributes'],
  ['XFRM outside ECX', { xfrm: 0x1_0003n }, { supportedXcr0: 0x1_00e7n }, 'xfrm'],
  ['XFRM above what XCR0 supports (V-11)', { xfrm: 0x203n }, {}, 'xfrm'],
  ['XFRM without SSE', { xfrm: 1n }, {}, 'xfrm'],
  ['x87 and SSE, whatever XCR0 says', { xfrm: 3n }, { supportedXcr0: 0n }, null],
  ['as large as forbidden', { pageCount: 2 ** 24 }, {}, 'size'],
  ['half as large', { pageCount: 2 ** 23 }, {}, null],
  ['a 32-bit enclave as large as forbidden', { attributes: 0, pageCount: 2 ** 19 }, {}, 'size'],
  ['a 32-bit enclave half as large', { attributes: 0, pageCount: 2 ** 18 }, {}, null],
  [
    'several reasons: the first counts',
    { attributes: PROVISIONKEY, miscSelect: 2, xfrm: 0n },
    {},
    'provisioning',
  ],
];

describe('what KVM checks of a SECS', () => {
  it.each(rows)('%s', (_, source, change, expected) => {
    expect(refusedSecs({ ...secs, ...source }, { ...policy, ...change })).toBe(expected);
  });
});

const flat: AddressingMode = {
  is64Bit: false,
  linearAddressBits: 48,
  dsBase: 0n,
  dsLimit: 0xffff_ffffn,
  isDsUsable: true,
};
const operands: [string, AddressingMode, bigint, number, number, bigint | null][] = [
  ['64-bit, aligned', LONG_MODE, 0x1000n, 4096, 4096, 0x1000n],
  ['64-bit, misaligned', LONG_MODE, 0x1010n, 32, 32, null],
  ['64-bit, at 32 bytes', LONG_MODE, 0x1020n, 32, 32, 0x1020n],
  ['64-bit, highest of the lower half', LONG_MODE, 0x7fff_ffff_f000n, 4096, 4096, 0x7fff_ffff_f000n],
  ['64-bit, not canonical', LONG_MODE, 0x8000_0000_0000n, 4096, 4096, null],
  ['64-bit, kernel half', LONG_MODE, 0xffff_8000_0000_0000n, 4096, 4096, 0xffff_8000_0000_0000n],
  ['five levels', { ...LONG_MODE, linearAddressBits: 57 }, 0x8000_0000_0000n, 4096, 4096, 0x8000_0000_0000n],
  ['64-bit ignores DS', { ...LONG_MODE, dsBase: 0x5000n, isDsUsable: false }, 0x1000n, 4096, 4096, 0x1000n],
  ['64-bit with a tag', { ...LONG_MODE, tagBit: 57 }, 0x7e00_0000_0000_1000n, 4096, 4096, 0x1000n],
  [
    '64-bit with a tag, kernel half',
    { ...LONG_MODE, tagBit: 57 },
    0x81ff_8000_0000_0000n,
    4096,
    4096,
    0xffff_8000_0000_0000n,
  ],
  ['a tag that is not removed', LONG_MODE, 0x7e00_0000_0000_1000n, 4096, 4096, null],
  ['compatibility mode adds the base (V-13)', { ...flat, dsBase: 0x1_0000n }, 0x1000n, 4096, 4096, 0x1_1000n],
  ['base and offset wrap around', { ...flat, dsBase: 0xffff_f000n }, 0x2000n, 4096, 4096, 0x1000n],
  ['the high half of the register is ignored', flat, 0x1_0000_1000n, 4096, 4096, 0x1000n],
  ['at the limit', { ...flat, dsLimit: 0x1fffn }, 0x1000n, 4096, 4096, 0x1000n],
  ['beyond the limit', { ...flat, dsLimit: 0x1ffen }, 0x1000n, 4096, 4096, null],
  ['across 4 GiB', flat, 0xffff_fff0n, 32, 16, null],
  ['a segment that cannot be read', { ...flat, isDsUsable: false }, 0x1000n, 4096, 4096, null],
  ['a base that is not aligned', { ...flat, dsBase: 8n }, 0x1000n, 4096, 4096, null],
];

describe('operands of ENCLS', () => {
  it.each(operands)('%s', (_, mode, offset, size, align, expected) => {
    expect(linearOperand(mode, offset, size, align)).toBe(expected);
  });
});

const gp: EnclsOutcome = { kind: 'inject', vector: Vector.GP, errorCode: 0, address: null };
const pf: EnclsOutcome = { kind: 'inject', vector: Vector.PF, errorCode: 0x8003, address: 0x7000n };
const traps: [string, number, boolean, boolean, EnclsOutcome][] = [
  ['#PF, SGX1 host', 14, false, false, { kind: 'userspace', reason: 'emulation' }],
  ['#PF, SGX2 host, SGX2 guest', 14, true, true, pf],
  ['#PF, SGX2 host, SGX1 guest', 14, true, false, gp],
  ['#GP, SGX1 host, SGX1 guest', 13, false, false, gp],
  ['#GP, SGX1 host, SGX2 guest', 13, false, true, pf],
  ['#GP, SGX2 host', 13, true, true, gp],
];

describe('faults that the guest is shown', () => {
  it.each(traps)('%s', (_, vector, hostHasSgx2, guestHasSgx2, expected) => {
    expect(injectTrap({ vector }, { hostHasSgx2, guestHasSgx2 }, 0x7000n)).toEqual(expected);
  });
});
