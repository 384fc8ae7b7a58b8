import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import type { CpuidRegisters, CpuidSection } from '../src/cpuid.js';
import { cpuidToFeatures, cpuidToSections, featuresToCpuid, sectionsToCpuid } from '../src/cpuid.js';
import { FeatureSet, resolveFeatures, type SgxFeatures } from '../src/features.js';

const END: CpuidRegisters = { eax: 0, ebx: 0, ecx: 0, edx: 0 };
const misuse = expect.objectContaining({ code: 'EPCKIT_HARDWARE_MISUSE' });

/** CPUID 0x12 of a machine whose sub-leaves from 2 on are these; the end marker follows for ever. */
function machine(...subLeaves: CpuidRegisters[]): (subLeaf: number) => CpuidRegisters {
  return (subLeaf) => subLeaves[subLeaf - 2] ?? END;
}

/** Registers that real machines report, and what they mean (reference, section 1.2). */
const dumps: [name: string, registers: CpuidRegisters, section: CpuidSection, pageCount: number][] = [
  [
    'Coffee Lake client',
    { eax: 0x50200001, ebx: 0, ecx: 0x05d80001, edx: 0 },
    { base: 0x50200000, sizeBytes: 0x5d80000, property: 1 },
    23_936,
  ],
  [
    'client with 32 MiB PRM',
    { eax: 0x80000001, ebx: 0, ecx: 0x02000001, edx: 0 },
    { base: 0x80000000, sizeBytes: 0x2000000, property: 1 },
    8192,
  ],
  [
    '4th-generation Xeon',
    { eax: 0x00c00001, ebx: 0x20, ecx: 0x7e1ff003, edx: 0 },
    { base: 0x2000c00000, sizeBytes: 0x7e1ff000, property: 3 },
    516_607,
  ],
];

describe('real sub-leaves', () => {
  test.each(dumps)('%s decodes', (_, registers, section, pageCount) => {
    expect(cpuidToSections(machine(registers))).toEqual({ sections: [section], unknown: null });
    expect(section.sizeBytes / 4096).toBe(pageCount);
  });

  test.each(dumps)('%s encodes to the same registers', (_, registers, section) => {
    expect(sectionsToCpuid([section])).toEqual([registers, END]);
  });
});

describe('decoding', () => {
  const [[, first], [, second], [, third]] = dumps as [
    (typeof dumps)[0],
    (typeof dumps)[0],
    (typeof dumps)[0],
  ];

  it('stops at the end marker, whatever follows', () => {
    expect(cpuidToSections(machine(first, END, second)).sections).toHaveLength(1);
    expect(cpuidToSections(machine())).toEqual({ sections: [], unknown: null });
  });

  it('stops at another type and reports it', () => {
    const { sections, unknown } = cpuidToSections(machine(first, { ...third, eax: 0x00c00002 }, second));
    expect(sections).toHaveLength(1);
    expect(unknown).toEqual({ subLeaf: 3, type: 2 });
  });

  it('ignores sections after the eighth, as Linux does, or after another number', () => {
    const query = machine(...Array.from({ length: 12 }, () => first));
    expect(cpuidToSections(query).sections).toHaveLength(8);
    expect(cpuidToSections(query, { limit: 10 }).sections).toHaveLength(10);
  });

  it('does not query beyond the limit', () => {
    const asked: number[] = [];
    cpuidToSections((subLeaf) => {
      asked.push(subLeaf);
      return first;
    });
    expect(asked).toEqual([2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it('ignores reserved bits', () => {
    const { eax, ebx, ecx, edx } = third;
    const noisy = { eax: eax | 0xff0, ebx: ebx | 0xfff00000, ecx: ecx | 0xff0, edx: edx | 0xfff00000 };
    expect(cpuidToSections(machine(noisy))).toEqual(cpuidToSections(machine(third)));
  });

  it('takes registers as signed numbers too', () => {
    const signed = { ...second, eax: second.eax | 0 };
    expect(cpuidToSections(machine(signed))).toEqual(cpuidToSections(machine(second)));
  });
});

it('sections come back from their sub-leaves', () => {
  const page = fc.maxSafeNat().map((value) => value % 2 ** 39);
  const section = fc.record({
    base: page.map((index) => index * 4096),
    sizeBytes: page.map((index) => (index + 1) * 4096),
    property: fc.integer({ min: 1, max: 15 }),
  });
  fc.assert(
    fc.property(fc.array(section, { maxLength: 10 }), (sections) => {
      const subLeaves = sectionsToCpuid(sections);
      expect(subLeaves.at(-1)).toEqual(END);
      for (const register of subLeaves.flatMap(Object.values)) expect(register).toBe(register >>> 0);
      expect(cpuidToSections(machine(...subLeaves), { limit: 10 })).toEqual({ sections, unknown: null });
    }),
  );
});

describe('a section that cannot be encoded is refused', () => {
  const good = { base: 0x1000, sizeBytes: 0x1000 };
  const rows: [reason: string, section: CpuidSection][] = [
    ['base', { ...good, base: 0x1001 }],
    ['base', { ...good, base: -0x1000 }],
    ['base', { ...good, base: Number.NaN }],
    ['2^52', { ...good, base: 2 ** 52 }],
    ['2^52', { ...good, base: 2 ** 52 - 0x1000, sizeBytes: 0x2000 }],
    ['sizeBytes', { ...good, sizeBytes: 0 }],
    ['sizeBytes', { ...good, sizeBytes: 0x1800 }],
    ['sizeBytes', { base: 0, sizeBytes: 2 ** 52 }],
    ['property', { ...good, property: 0 }],
    ['property', { ...good, property: 16 }],
  ];
  test.each(rows)('%s: %o', (reason, section) => {
    expect(() => sectionsToCpuid([section])).toThrow(misuse);
    expect(() => sectionsToCpuid([section])).toThrow(
      expect.objectContaining({ details: expect.arrayContaining([expect.stringContaining(reason)]) }),
    );
  });

  it('but the last page of physical memory is fine', () => {
    const last = { base: 2 ** 52 - 0x1000, sizeBytes: 0x1000 };
    expect(cpuidToSections(machine(...sectionsToCpuid([last]))).sections).toMatchObject([last]);
  });
});

describe('features', () => {
  it('of a client are what it reports', () => {
    const cpuid = featuresToCpuid(resolveFeatures(FeatureSet.SGX1));
    expect(cpuid.sgxLeaf0).toEqual({ eax: 1, ebx: 0, ecx: 0, edx: 0x241f });
    expect(cpuid.sgxLeaf1).toEqual({ eax: 0x36, ebx: 0, ecx: 0x1f, edx: 0 });
    expect(cpuid.leaf7).toEqual({ eax: 0, ebx: 4, ecx: 0, edx: 0 });
  });

  const bits: [options: Partial<SgxFeatures>, leaf: 'leaf7' | 'sgxLeaf0', bits: Partial<CpuidRegisters>][] = [
    [{ launchControl: true }, 'leaf7', { ecx: 1 << 30 }],
    [{ cet: true }, 'leaf7', { ecx: 1 << 7, edx: 1 << 20 }],
    [{ sgx2: true }, 'sgxLeaf0', { eax: 1 | (1 << 1) }],
    [{ enclv: true }, 'sgxLeaf0', { eax: 1 | (1 << 5) }],
    [{ enclsC: true }, 'sgxLeaf0', { eax: 1 | (1 << 6) }],
    [{ eupdatesvn: true }, 'sgxLeaf0', { eax: 1 | (1 << 10) }],
    [{ aexNotify: true }, 'sgxLeaf0', { eax: 1 | (1 << 11) }],
    [{ exinfo: true }, 'sgxLeaf0', { eax: 1, ebx: 1 }],
  ];
  test.each(bits)('%o is in %s', (options, leaf, expected) => {
    expect(featuresToCpuid(resolveFeatures({ ...FeatureSet.SGX1, ...options }))[leaf]).toMatchObject(
      expected,
    );
  });

  it('come back from CPUID', () => {
    const flags = ['enclv', 'enclsC', 'eupdatesvn', 'cet', 'exinfo', 'kss', 'aexNotify', 'launchControl'];
    const switches = fc.record(Object.fromEntries(flags.map((name) => [name, fc.boolean()])));
    const rest = fc.record({
      sgx2: fc.boolean(),
      maxSizeLog2Not64: fc.nat(255),
      maxSizeLog2For64: fc.nat(255),
      xfrmMask: fc.bigInt(0n, 2n ** 63n - 1n).map((mask) => mask | 3n),
      linearAddressBits: fc.constantFrom<48 | 57>(48, 57),
    });
    fc.assert(
      fc.property(switches, rest, (flagged, other) => {
        const epcmFault = other.sgx2 ? 'PF' : 'GP';
        const features = resolveFeatures({ ...flagged, ...other, epcmFault });
        expect(cpuidToFeatures(featuresToCpuid(features))).toEqual(features);
      }),
    );
  });

  it('are none without SGX, or without the SGX1 leaves', () => {
    const cpuid = featuresToCpuid(resolveFeatures());
    expect(cpuidToFeatures({ ...cpuid, leaf7: END })).toBeUndefined();
    expect(cpuidToFeatures({ ...cpuid, sgxLeaf0: END })).toBeUndefined();
  });
});
