import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadScenario } from '../../src/index.js';
import { temporaryFolder } from '../captured-io.js';

async function load(text: string, name = 'x.yaml') {
  const folder = temporaryFolder();
  writeFileSync(join(folder, name), text);
  return loadScenario(name, folder);
}

describe('loadScenario', () => {
  it('spells out every default', async () => {
    const { scenario } = await load(
      'machine: { epc: 8MiB }\nenclaves: [{ name: a, trace: a.runs.gz }]',
      'night-run.yaml',
    );
    expect(scenario).toEqual({
      name: 'night-run',
      preset: 'epckit',
      machine: { cpus: [{ node: 0 }], sections: [{ node: 0, pageCount: 2048 }] },
      reclaim: { batchPages: 16, lowPages: 32, highPages: 64, policy: 'second-chance' },
      costs: { table: 'client', overrides: {}, clockGhz: 3.5 },
      enclaves: [{ name: 'a', trace: 'a.runs.gz', runs: null, repeat: 1, cpu: 0, measured: true }],
      seed: 1,
    });
  });

  it('takes every key', async () => {
    const { scenario } = await load(`
name: all
preset: linux-6
seed: 7
machine:
  cpus: [{ node: 0 }, { node: 1 }]
  sections: [{ node: 0, epc: 1.5 MiB }, { node: -1, epc: 300 pages }]
reclaim: { batch: 8, low: 10, high: 20, policy: second-chance }
costs: { table: server, overrides: { EWB: 12000, AEX: 0 }, clockGhz: 2.6 }
enclaves:
  - { name: a, trace: ../a.gz, runs: 10, repeat: 3, cpu: 1, measured: false }
  - { name: b, trace: b.gz, cpu: 0 }
`);
    expect(scenario).toEqual({
      name: 'all',
      preset: 'linux-6',
      machine: {
        cpus: [{ node: 0 }, { node: 1 }],
        sections: [
          { node: 0, pageCount: 384 },
          { node: -1, pageCount: 300 },
        ],
      },
      reclaim: { batchPages: 8, lowPages: 10, highPages: 20, policy: 'second-chance' },
      costs: { table: 'server', overrides: { EWB: 12000, AEX: 0 }, clockGhz: 2.6 },
      enclaves: [
        { name: 'a', trace: '../a.gz', runs: 10, repeat: 3, cpu: 1, measured: false },
        { name: 'b', trace: 'b.gz', runs: null, repeat: 1, cpu: 0, measured: true },
      ],
      seed: 7,
    });
  });

  it('puts each enclave on the CPU of its place in the list', async () => {
    const { scenario } = await load(
      'machine: { cpus: 2, epc: 8MiB }\nenclaves: [{ name: a, trace: t }, { name: b, trace: t }]',
    );
    expect(scenario.enclaves.map(({ cpu }) => cpu)).toEqual([0, 1]);
  });

  it('follows anchors, and points at the place of use', async () => {
    const text = `machine: { epc: 8MiB }
enclaves:
  - &first { name: a, trace: t }
  - *first
`;
    await expect(load(text)).rejects.toMatchObject({
      code: 'EPCKIT_SCENARIO',
      message: expect.stringMatching(/^x\.yaml:\d+:\d+: enclaves\[1\]\.name is "a"/),
    });
  });
});
