import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { isTraceError, loadTrace, samplePath, TraceError, type TraceSource } from '../src/index.js';
import { pieces } from './run-text.js';

const folder = mkdtempSync(join(tmpdir(), 'epckit-trace-'));
afterAll(() => rmSync(folder, { recursive: true }));

async function errorOf(source: TraceSource, name?: string): Promise<TraceError> {
  const error = await loadTrace(source, name === undefined ? {} : { name }).catch(
    (caught: unknown) => caught,
  );
  if (!isTraceError(error)) throw new Error(`expected a TraceError, got ${String(error)}`);
  return error;
}

const errorOfText = (text: string | Uint8Array) => errorOf(pieces(Buffer.from(text as string), []), 't.runs');

const GOOD = '401a X 2\n1fff000 W 1\n';

/** Line 3 of a text, the expected words of the message, and the column of the offending byte. */
const BAD_LINES: Array<[line: string, reason: RegExp, column: number]> = [
  ['401a Q 2', /the type is "Q", not R, W or X/, 5],
  ['401a x 2', /the type is "x"/, 5],
  ['401a RW 2', /the type is "RW"/, 5],
  ['401a  X 2', /the type is missing/, 5],
  ['401a', /type and count are missing/, 4],
  ['401a X', /the count is missing/, 6],
  ['401a X ', /the count is missing/, 7],
  ['401a X 0', /the count is 0/, 7],
  ['401a X -1', /the count "-1" is not a decimal number/, 7],
  ['401a X 4294967296', /the count "4294967296" is above 4294967295/, 7],
  ['401a X 99999999999', /is above 4294967295/, 7],
  ['401a X 2 ', /there is " " after the count/, 8],
  ['401a X 2 # note', /there is " # note" after the count/, 8],
  ['401a X 2\r', /CR LF instead of LF/, 8],
  ['401A X 2', /"401A" contains an upper-case digit/, 3],
  ['40g1 X 2', /"40g1" contains a non-hexadecimal character/, 2],
  ['40g X 2', /contains a non-hexadecimal character/, 2],
  ['1fff00o X 2', /contains a non-hexadecimal character/, 6],
  ['0x401a X 2', /"0x" prefix/, 0],
  ['10000000000000 X 2', /more than 13 digits \(52 bits\)/, 0],
  [' 401a X 2', /starts with a blank/, 0],
  ['', /the line is empty/, 0],
  ['x'.repeat(300), /non-hexadecimal/, 0],
];

describe('a bad line', () => {
  it.each(BAD_LINES)('%j is refused with its reason and place', async (line, reason, column) => {
    const error = await errorOfText(`${GOOD}${line}\n401a X 2\n`);
    expect(error.code).toBe('EPCKIT_TRACE_BAD_LINE');
    expect(error.message).toMatch(reason);
    expect(error.message).toMatch(`t.runs, line 3 (byte ${GOOD.length + column}): `);
    expect(error).toMatchObject({ source: 't.runs', line: 3, byteOffset: GOOD.length + column });
    expect(error.hint).toMatch('lower-case hexadecimal');
  });

  it.each(BAD_LINES)('%j is refused as the first line too', async (line) => {
    expect((await errorOfText(`${line}\n401a X 2\n`)).line).toBe(1);
  });

  it('keeps its line number across batches and chunks', async () => {
    const text = Buffer.from(`${'401a X 2\n'.repeat(300_000)}401a X 0\n`);
    const error = await errorOf(pieces(text, [1, 500_000, 1_000_001]));
    expect(error).toMatchObject({ line: 300_001, byteOffset: 2_700_007, source: '<stream>' });
  });
});

describe('a last line without LF', () => {
  it.each(['4', '401a', '401a ', '401a X', '401a X ', '401a X 2'])('%j is truncated', async (end) => {
    const error = await errorOfText(GOOD + end);
    expect(error.code).toBe('EPCKIT_TRACE_TRUNCATED_LINE');
    expect(error).toMatchObject({ line: 3, byteOffset: GOOD.length + end.length });
    expect(error.message).toMatch('line 3');
  });

  it('is a bad line when it could not become a good one', async () => {
    expect((await errorOfText(`${GOOD}401a Q`)).code).toBe('EPCKIT_TRACE_BAD_LINE');
  });
});

describe('what is no trace', () => {
  const png = Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex');
  const foreign: Array<[name: string, bytes: Buffer, reason: RegExp]> = [
    ['a picture', png, /binary data/],
    ['zeros', Buffer.alloc(5000), /binary data/],
    ['zstd', Buffer.from('28b52ffd2481', 'hex'), /zstd data/],
    ['prose', Buffer.from('It was a dark and stormy night.\n'), /other text/],
    ['CSV', Buffer.from('time,page,type\n1,2,R\n'), /other text \(it starts with "time,page,type"\)/],
    ['lackey', Buffer.from('I  0401b7d0,7\n L 04032e40,8\n'), /Valgrind lackey/],
    ['lackey data', Buffer.from(' L 04032e40,8\n'), /Valgrind lackey/],
  ];

  it.each(foreign)('%s is named, plain and inside gzip', async (_name, bytes, reason) => {
    for (const content of [bytes, gzipSync(bytes)]) {
      const error = await errorOf(pieces(content, []), 'foreign');
      expect(error.code).toBe('EPCKIT_TRACE_NOT_A_TRACE');
      expect(error.message).toMatch(/^foreign, line 1 \(byte 0\): this is no page-run trace/);
      expect(error.message).toMatch(reason);
      expect(error.hint).toMatch('401a X 2');
    }
  });
});

describe('a gzip file', () => {
  const text = Array.from({ length: 5000 }, (_, run) => `${((run * 7919) % 4096).toString(16)} R 1\n`).join(
    '',
  );
  const compressed = gzipSync(text);

  it.each([1, 2, 9, 12, 500, compressed.length - 9, compressed.length - 1])(
    'of which only %d bytes are there is truncated',
    async (byteCount) => {
      const error = await errorOf(pieces(compressed.subarray(0, byteCount), []), 'cut.gz');
      expect(error.code).toBe('EPCKIT_TRACE_TRUNCATED_GZIP');
      expect(error.message).toBe(
        `cut.gz is a truncated gzip file: it ends at byte ${byteCount}, before its end mark.`,
      );
      expect(error.byteOffset).toBe(byteCount);
      expect(error.cause).toBeInstanceOf(Error);
    },
  );

  it.each([20, 200, 2000, compressed.length - 6])('with byte %d flipped is corrupt', async (offset) => {
    const damaged = Buffer.from(compressed);
    damaged[offset] = (damaged[offset] ?? 0) ^ 0xff;
    const error = await errorOf(pieces(damaged, []), 'bad.gz');
    expect(error.code).toMatch(/^EPCKIT_TRACE_(CORRUPT|TRUNCATED)_GZIP$/);
    expect(error.message).toMatch(/^bad\.gz is a (corrupt|truncated) gzip file/);
  });

  it('is recognised by content: text under a .gz name is read', async () => {
    const path = join(folder, 'plain.runs.gz');
    writeFileSync(path, GOOD);
    expect((await loadTrace(path)).length).toBe(2);
  });
});

describe('other sources', () => {
  it('a missing file', async () => {
    const path = join(folder, 'missing.runs');
    const error = await errorOf(path);
    expect(error).toMatchObject({ code: 'EPCKIT_TRACE_NOT_FOUND', source: path });
    expect(error.message).toBe(`There is no file ${path}.`);
  });

  it('a directory', async () => {
    expect((await errorOf(folder)).code).toBe('EPCKIT_TRACE_IS_DIRECTORY');
  });

  it.each([
    ['', 'plain'],
    ['gzip', 'gzip'],
  ])('an empty file (%s)', async (kind) => {
    const error = await errorOfText(kind === 'gzip' ? gzipSync('') : '');
    expect(error.code).toBe('EPCKIT_TRACE_EMPTY');
  });

  it('a stream of strings, and one that fails', async () => {
    expect((await errorOf(Readable.from(['401a X 2\n']))).code).toBe('EPCKIT_TRACE_UNREADABLE');
    const failing = new Readable({ read: () => failing.destroy(new Error('pulled the plug')) });
    expect((await errorOf(failing)).message).toMatch('pulled the plug');
  });

  it('a limit that is no number', async () => {
    await expect(loadTrace(folder, { limit: 0 })).rejects.toMatchObject({ code: 'EPCKIT_TRACE_BAD_OPTION' });
  });

  it('a sample that does not exist', () => {
    expect(() => samplePath('nope' as 'sqlite3-small')).toThrow(/no sample "nope"/);
  });
});

describe('TraceError', () => {
  it('has a plain JSON form without undefined fields', async () => {
    const error = await errorOfText(`${GOOD}401a X 0\n`);
    expect(JSON.parse(JSON.stringify(error))).toEqual({
      name: 'TraceError',
      code: 'EPCKIT_TRACE_BAD_LINE',
      message: 't.runs, line 3 (byte 28): the count is 0.',
      hint: error.hint,
      source: 't.runs',
      line: 3,
      byteOffset: 28,
    });
    const bare = new TraceError('EPCKIT_TRACE_EMPTY', 'Nothing.', { hint: 'Something.' });
    expect(Object.keys(bare.toJSON())).toEqual(['name', 'code', 'message', 'hint']);
  });

  it('is recognised by code, whichever copy of the class made it', () => {
    expect(isTraceError({ code: 'EPCKIT_TRACE_EMPTY' })).toBe(true);
    expect(isTraceError(new Error('no'))).toBe(false);
    expect(isTraceError({ code: 7 })).toBe(false);
    expect(isTraceError(null)).toBe(false);
  });
});
