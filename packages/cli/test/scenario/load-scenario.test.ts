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

/** What an enclave has that says nothing of it. */
const defaults = { moreCpus: [], deal: 'slices', measured: true, buildCost: true, startCycles: 0 };

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
      enclaves: [{ name: 'a', trace: 'a.runs.gz', runs: null, repeat: 1, cpu: 0, ...defaults }],
      seed: 1,
      horizonCycles: null,
    });
  });

  it('takes every key', async () => {
    const { scenario } = await load(`
name: all
preset: linux-6
seed: 7
horizon: 1.5ms
machine:
  cpus: [{ node: 0 }, { node: 1 }]
  sections: [{ node: 0, epc: 1.5 MiB }, { node: -1, epc: 300 pages }]
reclaim: { batch: 8, low: 10, high: 20, policy: second-chance }
costs: { table: server, overrides: { EWB: 12000, AEX: 0 }, clockGhz: 2.6 }
enclaves:
  - { name: a, trace: ../a.gz, runs: 10, repeat: 3, cpu: 1, measured: false, start: 2us }
  - { name: b, trace: b.gz, cpu: 0, buildCost: false, start: 70 cycles }
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
        {
          name: 'a',
          trace: '../a.gz',
          runs: 10,
          repeat: 3,
          cpu: 1,
          ...defaults,
          measured: false,
          startCycles: 5200,
        },
        {
          name: 'b',
          trace: 'b.gz',
          runs: null,
          repeat: 1,
          cpu: 0,
          ...defaults,
          buildCost: false,
          startCycles: 70,
        },
      ],
      seed: 7,
      horizonCycles: 3_900_000,
    });
  });

  it('puts each enclave on the CPU of its place in the list', async () => {
    const { scenario } = await load(
      'machine: { cpus: 2, epc: 8MiB }\nenclaves: [{ name: a, trace: t }, { name: b, trace: t }]',
    );
    expect(scenario.enclaves.map(({ cpu }) => cpu)).toEqual([0, 1]);
  });

  it('makes equal nodes of three keys', async () => {
    const { scenario } = await load(
      'machine: { nodes: 2, cpusPerNode: 3, epcPerNode: 1MiB }\nenclaves: [{ name: a, trace: t }]',
    );
    expect(scenario.machine).toEqual({
      cpus: [0, 0, 0, 1, 1, 1].map((node) => ({ node })),
      sections: [
        { node: 0, pageCount: 256 },
        { node: 1, pageCount: 256 },
      ],
    });
  });

  it('places threads behind those of the enclaves before, or as they are told', async () => {
    const { scenario } = await load(`machine: { cpus: 9, epc: 8MiB }
enclaves:
  - { name: a, trace: t, threads: 3 }
  - { name: b, trace: t }
  - { name: c, trace: t, cpus: [8, 5], deal: turns }
  - { name: d, trace: t, cpu: 6, threads: 2 }
`);
    expect(scenario.enclaves.map(({ cpu, moreCpus }) => [cpu, moreCpus])).toEqual([
      [0, [1, 2]],
      [3, []],
      [8, [5]],
      [6, [7]],
    ]);
  });

  it('draws start jitter and traces from the seed', async () => {
    const text = (seed: number) => `machine: { cpus: 2, epc: 8MiB }
seed: ${seed}
enclaves:
  - { name: a, trace: t, start: 1000 cycles, startJitter: 500 cycles }
  - { name: b, generator: { kind: uniform, runs: 100, pages: 10 } }
`;
    const drawn = async (seed: number) => {
      const { scenario, generators } = await load(text(seed));
      const start = scenario.enclaves[0]?.startCycles as number;
      expect(start).toBeGreaterThanOrEqual(1000);
      expect(start).toBeLessThan(1500);
      return [start, generators.get(scenario.enclaves[1]?.trace as string)?.seed];
    };
    expect(await drawn(1)).toEqual(await drawn(1));
    expect((await drawn(1))[0]).not.toBe((await drawn(2))[0]);
    expect((await drawn(1))[1]).not.toBe((await drawn(2))[1]);
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
