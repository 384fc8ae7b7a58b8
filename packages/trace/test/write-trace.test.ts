import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { encodeTrace, generateZipf, loadTrace, openTrace, samplePath, writeTrace } from '../src/index.js';
import { anyRun, batchOf, textOf } from './run-text.js';

const folder = mkdtempSync(join(tmpdir(), 'epckit-trace-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('writeTrace', () => {
  it('writes the canonical text of any runs, compressed or not', async () => {
    const path = join(folder, 'any.runs');
    const cases = fc.tuple(fc.array(anyRun, { minLength: 1, maxLength: 50 }), fc.boolean());
    await fc.assert(
      fc.asyncProperty(cases, async ([runs, gzip]) => {
        await writeTrace(path, [batchOf(runs)], { gzip });
        const bytes = readFileSync(path);
        expect((gzip ? gunzipSync(bytes) : bytes).toString('latin1')).toBe(textOf(runs));
      }),
      { numRuns: 100 },
    );
  });

  it('gives the sample back byte for byte, from batches and from memory', async () => {
    const sample = samplePath('sqlite3-small');
    const text = gunzipSync(readFileSync(sample));
    const streamed = join(folder, 'streamed.runs');
    await writeTrace(streamed, openTrace(sample));
    expect(readFileSync(streamed).equals(text)).toBe(true);
    const loaded = join(folder, 'loaded.runs.gz');
    await writeTrace(loaded, await loadTrace(sample));
    expect(gunzipSync(readFileSync(loaded)).equals(text)).toBe(true);
  });

  it('gives a generated trace back equal in every column', async () => {
    const trace = generateZipf({
      runCount: 5000,
      pageCount: 3000,
      exponent: 1,
      shuffled: true,
      writeShare: 0.3,
      seed: 9,
    });
    const path = join(folder, 'zipf.runs.gz');
    await writeTrace(path, trace);
    expect(await loadTrace(path)).toEqual(trace);
  });

  it('compresses when the name ends in .gz, unless told otherwise', async () => {
    const batch = batchOf([{ page: 1, type: 0, count: 1 }]);
    const path = join(folder, 'named.runs.gz');
    await writeTrace(path, [batch]);
    expect(readFileSync(path)[0]).toBe(0x1f);
    await writeTrace(path, [batch], { gzip: false });
    expect(readFileSync(path, 'latin1')).toBe('1 R 1\n');
  });

  it.each([
    { page: -1, type: 0, count: 1 },
    { page: 1.5, type: 0, count: 1 },
    { page: 2 ** 52, type: 0, count: 1 },
    { page: Number.NaN, type: 0, count: 1 },
    { page: 1, type: 3, count: 1 },
    { page: 1, type: 0, count: 0 },
  ])('refuses the run %o, names its line and leaves no file', async (bad) => {
    const path = join(folder, 'refused.runs');
    const good = { page: 1, type: 0, count: 1 };
    const writing = writeTrace(path, [batchOf([good, good]), batchOf([good, bad])]);
    await expect(writing).rejects.toMatchObject({ code: 'EPCKIT_TRACE_BAD_RUN', line: 4 });
    expect(existsSync(path)).toBe(false);
    expect(readdirSync(folder).filter((name) => name.endsWith('.part'))).toEqual([]);
  });

  it('refuses to write nothing, and a folder that is not there', async () => {
    const none = writeTrace(join(folder, 'none.runs'), []);
    await expect(none).rejects.toMatchObject({ code: 'EPCKIT_TRACE_EMPTY' });
    const lost = writeTrace(join(folder, 'no', 'where'), [batchOf([{ page: 1, type: 0, count: 1 }])]);
    await expect(lost).rejects.toMatchObject({ code: 'EPCKIT_TRACE_UNWRITABLE' });
  });

  it('keeps the old file and passes the error on when the input turns out bad', async () => {
    const path = join(folder, 'kept.runs');
    await writeTrace(path, [batchOf([{ page: 1, type: 0, count: 1 }])]);
    const failing = writeTrace(path, openTrace(join(folder, 'missing.runs')));
    await expect(failing).rejects.toMatchObject({ code: 'EPCKIT_TRACE_NOT_FOUND' });
    expect(readFileSync(path, 'latin1')).toBe('1 R 1\n');
  });
});

describe('encodeTrace', () => {
  it('gives chunks of bounded size', async () => {
    for await (const chunk of encodeTrace(await loadTrace(samplePath('sqlite3-small')))) {
      expect(chunk.length).toBeLessThanOrEqual(128 * 1024);
    }
  });
});
