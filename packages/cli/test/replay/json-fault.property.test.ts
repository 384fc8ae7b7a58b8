import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findJsonFault } from '../../src/replay/json-fault.js';

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

const marks = fc.constantFrom(...'{}[],:"\\ \n\t01-.eE+tfnu\u0001', 'true', 'null', '\\u12g4');

describe('findJsonFault', () => {
  it('finds nothing in JSON, however it is laid out', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.nat(3), (value, indent) => {
        expect(findJsonFault(JSON.stringify(value, null, indent))).toBeNull();
      }),
    );
  });

  it('agrees with JSON.parse on what is JSON', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.nat(), fc.nat(3), marks, (value, at, removed, inserted) => {
        const text = JSON.stringify(value, null, 1);
        const place = at % (text.length + 1);
        const changed = text.slice(0, place) + inserted + text.slice(place + removed);
        expect(findJsonFault(changed) === null, changed).toBe(isJson(changed));
      }),
      { numRuns: 2000 },
    );
  });

  it('says where: the place before which the text could still become JSON', () => {
    expect(findJsonFault('{"a": 1,\n "b": x}')).toEqual({
      line: 2,
      column: 7,
      message: 'a value is expected, not "x"',
    });
    expect(findJsonFault('{"a": 1\n "b": 2}')).toMatchObject({ line: 2, column: 2 });
    expect(findJsonFault('{"a": "text\n}')).toEqual({
      line: 1,
      column: 7,
      message: 'a text begins that has no closing quote',
    });
    expect(findJsonFault('[1] 2')).toMatchObject({ line: 1, column: 5 });
    expect(findJsonFault('')).toEqual({ line: 1, column: 1, message: 'the file ends here, unfinished' });
  });
});
