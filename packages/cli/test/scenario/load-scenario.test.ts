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
const defaults = {
  ...{ moreCpus: [], deal: 'slices', measured: true, buildCost: true, dynamicShare: 0, startCycles: 0 },
};

/** What costs are that nothing is said of. */
const costs = { level: 'typical', file: null, own: {}, microcode: 1, ipi: 'bare-metal' };

describe('loadScenario', () => {
  it('spells out every default', async () => {
    const { scenario } = await load(
      'machine: { epc: 8MiB }\nenclaves: [{ name: a, trace: a.runs.gz }]',
      'night-run.yaml',
    );
    expect(scenario).toEqual({
      name: 'night-run',
      preset: 'epckit',
      machine: {
        ...{ cpus: [{ node: 0 }], sections: [{ node: 0, pageCount: 2048 }] },
        ...{ distances: null, sliceCycles: 10_500_000 },
      },
      allocator: {},
      reclaim: {
        ...{ batchPages: 16, lowPages: 32, highPages: 64, policy: 'second-chance' },
        ...{ daemons: 1, daemonPlacement: 'own', daemonNodes: 'all' },
      },
      costs: { ...costs, table: 'client', overrides: {}, clockGhz: 3.5 },
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
  distances: [[10, 21], [22, 10]]
  slice: 1us
allocator: { fallback: byDistance }
reclaim:
  { batch: 8, low: 10, high: 20, policy: second-chance, daemons: 3, daemonPlacement: shared, daemonNodes: all }
costs:
  { table: server, level: maximum, microcode: 1.75, ipi: trapped, overrides: { EWB: 12000, AEX: 0 }, clockGhz: 2.6 }
enclaves:
  - { name: a, trace: ../a.gz, runs: 10, repeat: 3, cpu: 1, measured: false, start: 2us }
  - { name: b, trace: b.gz, cpu: 0, buildCost: false, dynamicShare: 0.5, start: 70 cycles }
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
        distances: [
          [10, 21],
          [22, 10],
        ],
        sliceCycles: 2600,
      },
      allocator: { fallback: 'byDistance' },
      reclaim: {
        ...{ batchPages: 8, lowPages: 10, highPages: 20, policy: 'second-chance' },
        ...{ daemons: 3, daemonPlacement: 'shared', daemonNodes: 'all' },
      },
      costs: {
        ...costs,
        table: 'server',
        level: 'maximum',
        microcode: 1.75,
        ipi: 'trapped',
        overrides: { EWB: 12000, AEX: 0 },
        clockGhz: 2.6,
      },
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
          dynamicShare: 0.5,
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
    expect(scenario.machine).toMatchObject({
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

  it('gives each thread a trace, a CPU and a start of its own', async () => {
    const { scenario, generators } = await load(`machine: { cpus: 9, epc: 8MiB }
enclaves:
  - name: a
    threads:
      - { trace: t, start: 10 cycles }
      - { generator: { kind: uniform, runs: 100, pages: 10 }, cpu: 8, start: 20 cycles }
      - { generator: { kind: uniform, runs: 100, pages: 10 } }
  - { name: b, trace: t }
`);
    const [first, second] = scenario.enclaves;
    const generated = (thread: number) => `generated: uniform, enclave 0, thread ${thread}`;
    expect(first).toMatchObject({
      trace: 't',
      cpu: 0,
      enterCycles: 10,
      moreThreads: [
        { trace: generated(1), cpu: 8, startCycles: 20 },
        { trace: generated(2), cpu: 2, startCycles: 0 },
      ],
    });
    expect(first).not.toHaveProperty('moreCpus');
    expect(second).toMatchObject({ trace: 't', cpu: 3 });
    expect([...generators.keys()]).toEqual([generated(1), generated(2)]);
    expect(new Set([...generators.values()].map(({ seed }) => seed)).size).toBe(2);
  });

  it('makes several enclaves of one entry, on CPUs of their own', async () => {
    const loaded = await load(`machine: { cpus: 9, epc: 8MiB }
enclaves:
  - { name: many, instances: 2, threads: 2, generator: { kind: scan, runs: 9, pages: 3 } }
  - { name: one, trace: t }
`);
    const { enclaves } = loaded.scenario;
    expect(enclaves.map(({ name, cpu, moreCpus }) => [name, cpu, moreCpus])).toEqual([
      ['many 0', 0, [1]],
      ['many 1', 2, [3]],
      ['one', 4, []],
    ]);
    expect(loaded.entries).toEqual([0, 0, 1]);
    expect([...loaded.generators.keys()]).toEqual([
      'generated: scan, enclave 0',
      'generated: scan, enclave 0.1',
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
