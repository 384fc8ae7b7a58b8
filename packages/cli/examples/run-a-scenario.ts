// Runs a scenario without a process of its own: the command as a function, with streams of one's own.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { main } from '@epckit/cli';
import { samplePath } from '@epckit/trace';
import type { RunReport } from 'epckit';

const folder = mkdtempSync(join(tmpdir(), 'epckit-example-'));
writeFileSync(
  join(folder, 'small.yaml'),
  `machine: { epc: 3MiB }
enclaves: [{ name: sqlite, trace: ${JSON.stringify(samplePath('sqlite3-small'))}, runs: 20000 }]`,
);

const io = {
  stdout: { write() {} },
  stderr: { write: (text: string) => void process.stderr.write(text) },
  cwd: folder,
  env: {},
};
const exitCode = await main(['run', 'small.yaml', '--json', 'report.json'], io);
const report = JSON.parse(readFileSync(join(folder, 'report.json'), 'utf8')) as RunReport;
rmSync(folder, { recursive: true });

console.log(`exit code ${exitCode}`);
console.log(
  `${report.total.faults > 0 ? 'with' : 'without'} page faults in ${report.total.epcPages} EPC pages`,
);
