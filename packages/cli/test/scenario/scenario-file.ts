import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { samplePath } from '@epckit/trace';
import { temporaryFolder } from '../captured-io.js';

/** A scenario that is sound, one key per line. */
export const soundScenario = `name: small
machine:
  cpus: 2
  epc: 4MiB
reclaim:
  batch: 16
enclaves:
  - name: first
    trace: sample.runs.gz
    runs: 5000
`;

/** Writes a scenario beside a copy of the sample trace; returns the folder. */
export function folderWithScenario(text: string = soundScenario): string {
  const folder = temporaryFolder();
  copyFileSync(samplePath('sqlite3-small'), join(folder, 'sample.runs.gz'));
  writeFileSync(join(folder, 'x.yaml'), text);
  return folder;
}
