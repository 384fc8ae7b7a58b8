import { NONE } from '@epckit/interface';
import { createMachine } from '@epckit/machine';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PageArray } from '../src/index.js';

const { objects } = createMachine({ cpus: [{ node: 0 }] });
const misuse = expect.objectContaining({ code: 'EPCKIT_MISUSE' });
const SIZE = 2000;

describe('a page array', () => {
  it('is empty at first, whatever its size', () => {
    const array = new PageArray(2 ** 34, 'test', objects, null);
    expect([array.count, array.get(2 ** 33), array.next(0)]).toEqual([0, NONE, NONE]);
    array.set(2 ** 33, 7);
    array.set(3, 8);
    expect([array.next(0), array.next(4), array.next(2 ** 33 + 1)]).toEqual([3, 2 ** 33, NONE]);
  });

  it('refuses pages that are not of the instance', () => {
    const array = new PageArray(10, 'test', objects, null);
    expect(() => array.set(10, 1)).toThrow(misuse);
    expect(() => array.set(-1, 1)).toThrow(misuse);
    expect([array.get(10), array.next(10)]).toEqual([NONE, NONE]);
  });

  it('agrees with a map', () => {
    const change = fc.record({ index: fc.nat(SIZE - 1), page: fc.nat(100), isErased: fc.boolean() });
    fc.assert(
      fc.property(fc.array(change, { maxLength: 60 }), fc.nat(SIZE), (changes, from) => {
        const array = new PageArray(SIZE, 'test', objects, null);
        const map = new Map<number, number>();
        for (const { index, page, isErased } of changes) {
          if (!map.has(index)) {
            map.set(index, page);
            array.set(index, page);
          } else if (isErased) {
            map.delete(index);
            array.erase(index);
          }
          expect(array.get(index)).toBe(map.get(index) ?? NONE);
        }
        const first = Math.min(...[...map.keys()].filter((index) => index >= from));
        expect([array.count, array.next(from)]).toEqual([map.size, Number.isFinite(first) ? first : NONE]);
      }),
    );
  });
});
