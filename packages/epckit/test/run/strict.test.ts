import { describe, expect, it } from 'vitest';
import type { Scenario, ScenarioEnclave } from '../../src/index.js';
import { runScenario } from '../../src/index.js';
import { smallEnclave, smallScenario, smallTraces } from './small-scenario.js';

const unbuilt = { buildCost: false } as const;

function machineOf(cpus: number, nodes: number, pageCount: number): Pick<Scenario, 'machine'> {
  const sections = Array.from({ length: nodes }, (_, node) => ({ node, pageCount: pageCount / nodes }));
  return {
    machine: {
      cpus: Array.from({ length: cpus }, (_, cpu) => ({ node: ((cpu * nodes) / cpus) | 0 })),
      sections,
    },
  };
}

/** Every CPU replays a part of one trace in one enclave. */
function shared(cpus: number, trace: string, more: Partial<ScenarioEnclave> = {}): ScenarioEnclave {
  const moreCpus = Array.from({ length: cpus - 1 }, (_, index) => index + 1);
  return smallEnclave('shared', trace, 0, { moreCpus, deal: 'turns', ...more });
}

/** A reference takes as long as a few hundred instructions, so that CPUs compute while others evict. */
function slow(cyclesPerReference: number): Pick<Scenario, 'costs'> {
  return { costs: { table: 'server', overrides: { COMPUTE: cyclesPerReference }, clockGhz: 3.2 } };
}

const farNodes = [
  [10, 32],
  [32, 10],
];

/** Pages are reclaimed one at a time by a daemon that shares a CPU. */
const tinyBatches = {
  reclaim: {
    batchPages: 1,
    lowPages: 1,
    highPages: 2,
    policy: 'second-chance',
    daemonPlacement: 'shared',
  },
} as const;

const traces = ['uniform', 'scan', 'zipf'] as const;

function each(count: number, more: Partial<ScenarioEnclave> = {}): ScenarioEnclave[] {
  return Array.from({ length: count }, (_, cpu) => {
    return smallEnclave(`enclave ${cpu}`, traces[cpu % traces.length] as string, cpu, { runs: 400, ...more });
  });
}

const scenarios: readonly (readonly [string, Scenario])[] = [
  ['one program', smallScenario([smallEnclave('A', 'uniform', 0)])],
  [
    'one program that builds nothing',
    smallScenario([smallEnclave('A', 'zipf', 0, { repeat: 2, ...unbuilt })]),
  ],
  ['three enclaves on three CPUs', smallScenario(each(3, { runs: null }))],
  ['four threads in one enclave', smallScenario([shared(4, 'uniform')], slow(700))],
  [
    'eight threads in one enclave, on two nodes',
    smallScenario([shared(8, 'zipf', unbuilt)], { ...machineOf(8, 2, 256), ...slow(2000) }),
  ],
  [
    'sixteen threads in one enclave',
    smallScenario([shared(16, 'uniform', unbuilt)], { ...machineOf(16, 1, 192), ...slow(5000) }),
  ],
  [
    'sixteen enclaves on two nodes',
    smallScenario(each(16, { startCycles: 12_345, runs: 200 }), {
      ...machineOf(16, 2, 1024),
      ...slow(3000),
      preset: 'epckit',
    }),
  ],
  [
    'a horizon in the middle',
    smallScenario([shared(4, 'scan', { repeat: 3, ...unbuilt })], { ...slow(50), horizonCycles: 8_000_000 }),
  ],
  [
    'references of 333 cycles, and a horizon',
    smallScenario([shared(4, 'scan', unbuilt)], {
      costs: { table: 'client', overrides: { COMPUTE: 333 }, clockGhz: 3.5 },
      horizonCycles: 9_999_999,
    }),
  ],
  [
    'two threads on each of four CPUs',
    smallScenario(
      [
        shared(4, 'uniform', unbuilt),
        smallEnclave('B', 'zipf', 3, { moreCpus: [2, 1, 0], deal: 'slices', runs: 1500 }),
      ],
      { ...machineOf(4, 2, 512), ...slow(900) },
    ),
  ],
  [
    'pages that are added at first touch',
    smallScenario([shared(4, 'uniform', { dynamicShare: 0.5 }), smallEnclave('B', 'scan', 5)], slow(1500)),
  ],
  [
    'two threads on each of two CPUs, one of them with the daemon, which reclaims single pages',
    smallScenario(
      [
        shared(2, 'uniform', unbuilt),
        smallEnclave('B', 'zipf', 0, { moreCpus: [1], deal: 'turns', ...unbuilt }),
      ],
      { ...machineOf(2, 1, 180), ...tinyBatches },
    ),
  ],
  [
    'sixteen threads in one enclave on two nodes that are far apart, with few pages',
    smallScenario([shared(16, 'uniform', unbuilt)], {
      machine: { ...machineOf(16, 2, 240).machine, distances: farNodes },
      ...slow(2000),
      reclaim: { batchPages: 4, lowPages: 16, highPages: 40, policy: 'second-chance' },
    }),
  ],
  [
    'four enclaves with a thread on each node, a daemon per node',
    smallScenario(
      Array.from({ length: 4 }, (_, cpu) => {
        return smallEnclave(`enclave ${cpu}`, 'zipf', cpu, { moreCpus: [cpu + 4], deal: 'turns' });
      }),
      {
        machine: { ...machineOf(8, 2, 512).machine, distances: farNodes },
        ...slow(300),
        reclaim: {
          batchPages: 8,
          lowPages: 32,
          highPages: 64,
          policy: 'second-chance',
          daemonNodes: 'perNode',
          daemons: 2,
        },
      },
    ),
  ],
];

describe('a run in which every point stops', () => {
  it.each(scenarios)('gives the same bytes: %s', (_, scenario) => {
    // Short, so that threads that share a CPU take turns often.
    const sliceCycles = 50_000;
    const fast = runScenario(scenario, smallTraces, { timed: { sliceCycles } });
    const strict = runScenario(scenario, smallTraces, { timed: { sliceCycles, isStrict: true } });
    expect(JSON.stringify(fast)).toBe(JSON.stringify(strict));
  });
});
