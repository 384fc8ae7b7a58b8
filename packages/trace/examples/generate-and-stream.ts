import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateHotSetAndScan, isTraceError, openTrace, writeTrace } from '@epckit/trace';

const folder = await mkdtemp(join(tmpdir(), 'epckit-example-'));
const path = join(folder, 'scan.runs.gz');

// Eight of ten references go to 200 hot pages; a scan of 900 pages wants to push them out.
const trace = generateHotSetAndScan({
  runCount: 100_000,
  hotPageCount: 200,
  scanPageCount: 900,
  hotShare: 0.8,
  writeShare: 0.3,
  seed: 1,
});
await writeTrace(path, trace);

let hotReferenceCount = 0;
for await (const batch of openTrace(path)) {
  for (let run = 0; run < batch.length; run++) {
    if (batch.pageNumber[run]! < 200) hotReferenceCount += batch.count[run]!;
  }
}
console.log(`${hotReferenceCount} of ${trace.statistics.referenceCount} references are hot`);

try {
  for await (const _batch of openTrace(join(folder, 'missing.runs.gz')));
} catch (error) {
  if (!isTraceError(error)) throw error;
  console.log(error.code);
}
await rm(folder, { recursive: true });
