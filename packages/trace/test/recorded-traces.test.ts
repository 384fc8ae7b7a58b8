import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { loadTrace, samplePath, workingSetWindows } from '../src/index.js';

const folder = new URL('../../../traces/', import.meta.url);
const sha256 = (path: URL | string) => createHash('sha256').update(readFileSync(path)).digest('hex');

/** The facts table of traces/README.md. */
const RECORDED = [
  {
    file: 'sqlite3.runs.gz',
    sha256: '8c8d8db6cffb5c73f23432829518ef76def6dcbfdca62b0ff83e9a8ca0cf8b77',
    statistics: {
      runCount: 16_964_375,
      referenceCount: 28_127_294,
      uniquePageCount: 2_576,
      pageChangeCount: 16_961_008,
      readCount: 5_768_361,
      writeCount: 2_576_914,
      executeCount: 19_782_019,
    },
    windows: [
      239, 115, 424, 267, 62, 83, 81, 262, 418, 400, 760, 514, 76, 241, 244, 67, 89, 86, 91, 91, 438, 1187,
      441, 447, 451, 467, 865, 1975,
    ],
  },
  {
    file: 'python3.runs.gz',
    sha256: '234bc5c4eb1448bce52d483bfa0fb1dec519ca7a4d413bec596ba396bc3b9826',
    statistics: {
      runCount: 9_413_501,
      referenceCount: 16_500_000,
      uniquePageCount: 1_052,
      pageChangeCount: 9_411_621,
      readCount: 2_958_436,
      writeCount: 1_686_273,
      executeCount: 11_855_291,
    },
    windows: [460, 514, 522, 622, 540, 693, 402, 271, 119, 287, 233, 136, 128, 129, 152, 137],
  },
  {
    file: 'xz.runs.gz',
    sha256: '010df4a432c140cb34c14de8831cc6b503fac564623e67ee7789726f87d9d33c',
    statistics: {
      runCount: 7_648_842,
      referenceCount: 16_000_000,
      uniquePageCount: 2_454,
      pageChangeCount: 7_648_043,
      readCount: 2_696_347,
      writeCount: 1_099_771,
      executeCount: 12_203_882,
    },
    windows: [325, 216, 461, 310, 436, 328, 452, 386, 480, 452, 493, 482, 362, 515, 555, 463],
  },
];

describe('the recorded traces', () => {
  it.each(RECORDED)('$file has the facts that its README states', { timeout: 60_000 }, async (recorded) => {
    const path = new URL(recorded.file, folder);
    expect(sha256(path)).toBe(recorded.sha256);
    const trace = await loadTrace(path);
    expect(trace.statistics).toEqual(recorded.statistics);
    expect([...workingSetWindows(trace, 1_000_000)]).toEqual(recorded.windows);
  });
});

describe('the sample sqlite3-small', () => {
  it('has the facts that the README states', async () => {
    const path = samplePath('sqlite3-small');
    expect(readFileSync(path).length).toBeLessThanOrEqual(100 * 1024);
    expect(sha256(path)).toBe('788fdc6214d4a1d526735524a437b657b45d131aa5f331b032643c1c237c4bb8');
    expect((await loadTrace(path)).statistics).toEqual({
      runCount: 200_000,
      referenceCount: 316_108,
      uniquePageCount: 1_520,
      pageChangeCount: 199_990,
      readCount: 67_993,
      writeCount: 30_470,
      executeCount: 217_645,
    });
  });
});
