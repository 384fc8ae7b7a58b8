import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openTrace, samplePath, type TraceSource } from '../src/index.js';
import { anyRun, pieces, type Run, runsOf, textOf } from './run-text.js';

async function readAll(source: TraceSource, batchRunCount = 65_536): Promise<Run[]> {
  const runs: Run[] = [];
  for await (const batch of openTrace(source, { batchRunCount })) runs.push(...runsOf(batch));
  return runs;
}

const MIXED: Run[] = [
  { page: 0x401a, type: 2, count: 2 },
  { page: 0x1fff000, type: 1, count: 1 },
  { page: 0x401, type: 2, count: 9 },
  { page: 0x5_5555_5554, type: 0, count: 10 },
  { page: 0x7_ffff_ffff, type: 0, count: 4_294_967_295 },
  { page: 0, type: 0, count: 1 },
];

describe('openTrace', () => {
  it('reads the same runs whatever byte the text is cut at', async () => {
    const text = Buffer.from(textOf(MIXED));
    for (let cut = 0; cut <= text.length; cut++) {
      expect(await readAll(pieces(text, [cut]))).toEqual(MIXED);
    }
  });

  it('reads text that comes byte by byte', async () => {
    const text = Buffer.from(textOf(MIXED));
    expect(await readAll(pieces(text, [...text.keys()]))).toEqual(MIXED);
  });

  it('reads a gzip stream cut at every byte', async () => {
    const compressed = gzipSync(textOf(MIXED));
    for (let cut = 0; cut <= compressed.length; cut++) {
      expect(await readAll(pieces(compressed, [cut]))).toEqual(MIXED);
    }
  });

  it('reads any runs in any pieces and batches, compressed or not', async () => {
    const cases = fc.record({
      runs: fc.array(anyRun, { minLength: 1, maxLength: 60 }),
      cuts: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 6 }),
      batchRunCount: fc.integer({ min: 1, max: 70 }),
      gzip: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(cases, async ({ runs, cuts, batchRunCount, gzip }) => {
        const text = Buffer.from(textOf(runs));
        const bytes = gzip ? gzipSync(text) : text;
        const offsets = cuts.map((cut) => Math.floor(cut * bytes.length));
        expect(await readAll(pieces(bytes, offsets), batchRunCount)).toEqual(runs);
      }),
      { numRuns: 300 },
    );
  });

  it('reads zero-padded numbers as their value', async () => {
    const runs = await readAll(pieces(Buffer.from('0000401a X 02\n'), []));
    expect(runs).toEqual([{ page: 0x401a, type: 2, count: 2 }]);
  });

  it('reads several gzip members one after another', async () => {
    const members = Buffer.concat([gzipSync(textOf(MIXED)), gzipSync(textOf(MIXED))]);
    expect(await readAll(pieces(members, []))).toEqual([...MIXED, ...MIXED]);
  });

  it('gives full batches with columns of their own, and a last one cut to size', async () => {
    const batches = [];
    for await (const batch of openTrace(samplePath('sqlite3-small'), { batchRunCount: 60_000 })) {
      batches.push(batch);
    }
    expect(batches.map((batch) => batch.length)).toEqual([60_000, 60_000, 60_000, 20_000]);
    expect(batches.map((batch) => batch.type.length)).toEqual([60_000, 60_000, 60_000, 20_000]);
    expect(new Set(batches.map((batch) => batch.count.buffer)).size).toBe(4);
  });

  it('closes its source when the loop is left early', async () => {
    const stream = createReadStream(samplePath('sqlite3-small'), { highWaterMark: 1024 });
    for await (const batch of openTrace(stream, { batchRunCount: 10 })) {
      expect(batch.length).toBe(10);
      break;
    }
    expect(stream.destroyed).toBe(true);
  });

  it('can be left while a gzip stream stalls', async () => {
    const stalled = new Readable({ read() {} });
    const whole = gzipSync(textOf(MIXED));
    stalled.push(Buffer.concat([whole, whole.subarray(0, 12)]));
    for await (const batch of openTrace(stalled, { limit: 3 })) expect(batch.length).toBe(3);
    expect(stalled.destroyed).toBe(true);
  });

  it('gives exactly as many runs as the limit, in batches', async () => {
    const lengths = [];
    const options = { batchRunCount: 40, limit: 100 };
    for await (const batch of openTrace(samplePath('sqlite3-small'), options))
      lengths.push(batch.type.length);
    expect(lengths).toEqual([40, 40, 20]);
  });
});
