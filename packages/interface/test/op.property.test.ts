import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Mode, type ModeId, op, opMode, opObject } from '../src/index.js';

/** Objects beyond 32 bits too: a page range of 512 GiB of EPC has 134 million, and there are many ranges. */
const anyObject = fc.integer({ min: 0, max: 2 ** 45 });
const anyMode = fc.constantFrom(...(Object.values(Mode) as ModeId[]));

describe('op', () => {
  it('gives back the object and the mode that it was built from', () => {
    fc.assert(
      fc.property(anyObject, anyMode, (object, mode) => {
        const built = op(object, mode);
        expect([opObject(built), opMode(built)]).toEqual([object, mode]);
        expect(Number.isSafeInteger(built)).toBe(true);
      }),
    );
  });

  it('is different for different pairs', () => {
    fc.assert(
      fc.property(anyObject, anyMode, anyObject, anyMode, (a, modeA, b, modeB) => {
        expect(op(a, modeA) === op(b, modeB)).toBe(a === b && modeA === modeB);
      }),
    );
  });

  it('has room for every mode', () => {
    expect(Math.max(...Object.values(Mode))).toBeLessThan(8);
    expect(new Set(Object.values(Mode)).size).toBe(Object.keys(Mode).length);
  });
});
