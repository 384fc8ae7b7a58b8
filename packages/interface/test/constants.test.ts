import { describe, expect, it } from 'vitest';
import {
  Access,
  Attribute,
  COST_COUNT,
  Cost,
  costNames,
  EpcmCheck,
  Errno,
  EXIT_FLAG,
  errnoNames,
  FAULT_FLAG,
  FrameFlag,
  Leaf,
  LeafFault,
  leafFailed,
  leafNames,
  OwnerKind,
  PageType,
  Prot,
  Pte,
  pteNeeds,
  SecInfo,
  SgxCode,
  sgxCodeNames,
} from '../src/index.js';
import { errnos, leaves, sgxCodes } from './tables.js';

const tables = [
  { what: 'SGX codes', constants: SgxCode, names: sgxCodeNames, expected: sgxCodes },
  { what: 'leaf functions', constants: Leaf, names: leafNames, expected: leaves },
  { what: 'errno values', constants: Errno, names: errnoNames, expected: errnos },
] as const;

describe.each(tables)('$what', ({ constants, names, expected }) => {
  it('are those of the public texts, none more and none less', () => {
    expect(Object.entries(constants).map(([name, value]) => [value, name])).toEqual(expected);
  });

  it('have a reverse look-up that is the inverse', () => {
    for (const [name, value] of Object.entries(constants)) expect(names[value as never]).toBe(name);
    expect(Object.keys(names)).toHaveLength(Object.keys(constants).length);
  });

  it('cannot be changed through the reverse look-up', () => {
    expect(Object.isFrozen(names)).toBe(true);
  });
});

describe('cost keys', () => {
  it('number a cost table without holes', () => {
    expect(Object.values(Cost)).toEqual(Array.from({ length: COST_COUNT }, (_, key) => key));
  });

  it('have a reverse look-up that is the inverse', () => {
    expect(costNames).toHaveLength(COST_COUNT);
    for (const [name, key] of Object.entries(Cost)) expect(costNames[key]).toBe(name);
    expect(Object.isFrozen(costNames)).toBe(true);
  });
});

describe('results of leaf functions', () => {
  it('tell faults from codes as Linux does', () => {
    expect(FAULT_FLAG).toBe(0x40000000);
    expect(LeafFault).toEqual({ UD: 0x40000006, NM: 0x40000007, GP: 0x4000000d, PF: 0x4000000e });
  });

  it('fit the positive half of a 32-bit integer, so that they can be negated', () => {
    for (const result of [FAULT_FLAG, EXIT_FLAG, ...Object.values(LeafFault), ...Object.values(SgxCode)]) {
      expect(result).toBe(result | 0);
      expect(result).toBeGreaterThanOrEqual(0);
    }
  });

  it('keep codes, faults and exits apart', () => {
    const greatestCode = Math.max(...Object.values(SgxCode));
    expect(greatestCode & (FAULT_FLAG | EXIT_FLAG)).toBe(0);
    expect(FAULT_FLAG & EXIT_FLAG).toBe(0);
  });

  it('are worth a warning unless they are success or #PF (Linux encls_failed)', () => {
    expect(leafFailed(SgxCode.SUCCESS)).toBe(false);
    expect(leafFailed(LeafFault.PF)).toBe(false);
    expect(leafFailed(LeafFault.GP)).toBe(true);
    expect(leafFailed(SgxCode.NOT_TRACKED)).toBe(true);
  });
});

describe('bits', () => {
  it('are those of the SDM and of POSIX', () => {
    expect(Prot).toEqual({ R: 1, W: 2, X: 4 });
    expect(SecInfo).toEqual({ R: 1, W: 2, X: 4, PENDING: 8, MODIFIED: 16, PR: 32, TYPE_SHIFT: 8 });
    expect(Attribute).toEqual({
      INIT: 1,
      DEBUG: 2,
      MODE64BIT: 4,
      PROVISIONKEY: 16,
      EINITTOKENKEY: 32,
      CET: 64,
      KSS: 128,
      AEXNOTIFY: 1024,
    });
    expect(PageType).toEqual({ SECS: 0, TCS: 1, REG: 2, VA: 3, TRIM: 4, SS_FIRST: 5, SS_REST: 6 });
  });

  it('agree between protections and SECINFO, which ceilings compare', () => {
    expect([Prot.R, Prot.W, Prot.X]).toEqual([SecInfo.R, SecInfo.W, SecInfo.X]);
  });

  it.each([
    ['page-table bytes', Pte, 8],
    ['frame flags', FrameFlag, 7],
  ])('are distinct and fit: %s', (_, bits, width) => {
    const values = Object.values(bits);
    const union = values.reduce((all, bit) => all | bit, 0);
    expect(values.reduce((sum, bit) => sum + bit, 0)).toBe(union);
    expect(union).toBeLessThan(2 ** width);
  });

  it('let an access need what it uses', () => {
    expect(pteNeeds[Access.READ]).toBe(Pte.PRESENT | Pte.R);
    expect(pteNeeds[Access.WRITE]).toBe(Pte.PRESENT | Pte.W);
    expect(pteNeeds[Access.EXECUTE]).toBe(Pte.PRESENT | Pte.X);
    expect(pteNeeds).toHaveLength(Object.keys(Access).length);
  });
});

describe('small enumerations', () => {
  it('begin with the outcome that is tested for as zero', () => {
    expect([EpcmCheck.OK, SgxCode.SUCCESS, OwnerKind.NONE]).toEqual([0, 0, 0]);
  });

  it('leave owner kinds for others', () => {
    expect(Math.max(OwnerKind.NATIVE, OwnerKind.GUEST)).toBeLessThan(OwnerKind.FIRST_CUSTOM);
  });
});
