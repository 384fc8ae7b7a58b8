import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hexWordValue } from '../src/hex-word.js';
import { parseLines } from '../src/parse-lines.js';
import { createOpenRunBatch } from '../src/run-batch.js';

describe('hexWordValue', () => {
  it('accepts each byte in each place exactly when it is a lower-case hexadecimal digit', () => {
    for (let place = 0; place < 4; place++) {
      for (let byte = 0; byte < 256; byte++) {
        const word = Buffer.from('0000');
        word[place] = byte;
        const isDigit = /^[0-9a-f]$/.test(String.fromCharCode(byte));
        const expected = isDigit ? Number.parseInt(word.toString('latin1'), 16) : -1;
        expect(hexWordValue(word.readInt32BE())).toBe(expected);
      }
    }
  });

  it('agrees with parseInt on every value', () => {
    for (let value = 0; value <= 0xffff; value++) {
      const word = Buffer.from(value.toString(16).padStart(4, '0'));
      if (hexWordValue(word.readInt32BE()) !== value) expect.unreachable(`value ${value}`);
    }
  });
});

describe('parseLines', () => {
  /** The grammar once more, as a regular expression. */
  const isGood = (line: string) => {
    const fields = /^[0-9a-f]{1,13} [RWX] (\d{1,10})$/.exec(line);
    return fields !== null && Number(fields[1]) >= 1 && Number(fields[1]) <= 0xffff_ffff;
  };

  it('accepts a mutated line exactly when the grammar does', () => {
    const lines = fc.constantFrom('401a X 2', '1fff000 W 1', '401 R 9', '555555554 R 12', '0 X 4294967295');
    const mutation = fc.record({ at: fc.nat(16), byte: fc.integer({ min: 32, max: 126 }) });
    fc.assert(
      fc.property(lines, fc.array(mutation, { minLength: 1, maxLength: 2 }), (line, mutations) => {
        const bytes = Buffer.from(`401a X 2\n${line}\n401a X 2\n401a X 2\n401a X 2\n`);
        for (const { at, byte } of mutations) bytes[9 + (at % line.length)] = byte;
        const batch = createOpenRunBatch(9);
        const end = parseLines(bytes, 0, bytes.length, batch);
        const mutated = bytes.subarray(9, 9 + line.length).toString('latin1');
        expect(end).toBe(isGood(mutated) ? bytes.length : 9);
        expect(batch.length).toBe(isGood(mutated) ? 5 : 1);
      }),
      { numRuns: 3000 },
    );
  });

  it('stops when the batch is full', () => {
    const bytes = Buffer.from('401a X 2\n'.repeat(10));
    const batch = createOpenRunBatch(4);
    expect(parseLines(bytes, 0, bytes.length, batch)).toBe(36);
    expect(batch.length).toBe(4);
  });
});
