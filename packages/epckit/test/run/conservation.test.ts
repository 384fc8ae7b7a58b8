import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import type { RunReport, Scenario, ScenarioEnclave } from '../../src/index.js';
import { RunFailure, runScenario } from '../../src/index.js';
import { expectConserved } from './expect-conserved.js';
import { smallScenario, smallTraces } from './small-scenario.js';

vi.setConfig({ testTimeout: 120_000 });

const names = [...smallTraces.keys()];

/** Any machine, placement, reclaimer and costs; references are few, so that a run takes milliseconds. */
const scenarios: fc.Arbitrary<Scenario> = fc
  .record({
    nodes: fc.integer({ min: 1, max: 3 }),
    cpusPerNode: fc.integer({ min: 1, max: 3 }),
    epcPerNode: fc.integer({ min: 250, max: 700 }),
    hasDistances: fc.boolean(),
    isServer: fc.boolean(),
    level: fc.constantFrom('minimum', 'typical', 'maximum'),
    microcode: fc.constantFrom(1, 1.75),
    ipi: fc.constantFrom('bare-metal', 'trapped'),
    compute: fc.constantFrom(1, 300, 20_000),
    batchPages: fc.constantFrom(4, 16),
    daemons: fc.integer({ min: 1, max: 3 }),
    isPerNode: fc.boolean(),
    daemonPlacement: fc.constantFrom('own', 'shared'),
    sliceCycles: fc.constantFrom(50_000, 1_000_000),
    enclaves: fc.array(
      fc.record({
        traces: fc.array(fc.constantFrom(...names), { minLength: 1, maxLength: 3 }),
        cpus: fc.array(fc.nat(8), { minLength: 1, maxLength: 3 }),
        isSharing: fc.boolean(),
        dynamicShare: fc.constantFrom(0, 0.5, 1),
        buildCost: fc.boolean(),
        startCycles: fc.constantFrom(0, 5_000_000),
      }),
      { minLength: 1, maxLength: 3 },
    ),
    horizonCycles: fc.constantFrom(null, 30_000_000),
  })
  .map((drawn): Scenario => {
    const { nodes, cpusPerNode, level, microcode, ipi, daemonPlacement, horizonCycles } = drawn;
    // Of two threads that touch a new page at once, Linux 6.12 kills one (B-42).
    const preset = drawn.isServer ? 'epckit' : 'linux-6';
    const cpuCount = nodes * cpusPerNode;
    const { batchPages, sliceCycles, isPerNode, daemons } = drawn;
    const overrides = { COMPUTE: drawn.compute };
    return smallScenario(
      drawn.enclaves.map((one, index) => enclaveOf(one, index, cpuCount, drawn.isServer)),
      {
        preset,
        machine: {
          cpus: Array.from({ length: cpuCount }, (_, cpu) => ({ node: Math.floor(cpu / cpusPerNode) })),
          sections: Array.from({ length: nodes }, (_, node) => ({ node, pageCount: drawn.epcPerNode })),
          distances: drawn.hasDistances ? distancesOf(nodes) : null,
          sliceCycles,
        },
        allocator: { fallback: drawn.hasDistances ? 'byDistance' : 'ascending' },
        reclaim: {
          ...{ batchPages, lowPages: 32, highPages: 64, policy: 'second-chance', daemonPlacement },
          ...{ daemons: isPerNode ? 1 : daemons, daemonNodes: isPerNode ? 'perNode' : 'all' },
        },
        costs: {
          ...{ table: drawn.isServer ? 'server' : 'client', clockGhz: 3.2 },
          ...{ level, microcode, ipi, overrides },
        },
        horizonCycles,
      },
    );
  });

interface DrawnEnclave {
  readonly traces: readonly string[];
  readonly cpus: readonly number[];
  readonly isSharing: boolean;
  readonly dynamicShare: number;
  readonly buildCost: boolean;
  readonly startCycles: number;
}

function enclaveOf(drawn: DrawnEnclave, index: number, cpuCount: number, isServer: boolean): ScenarioEnclave {
  const { traces, buildCost, startCycles, isSharing } = drawn;
  const [cpu, ...moreCpus] = drawn.cpus.map((one) => one % cpuCount) as [number, ...number[]];
  const [trace, ...others] = traces as [string, ...string[]];
  const moreThreads = others.map((name, at) => ({ trace: name, cpu: (cpu + at) % cpuCount, startCycles }));
  return {
    ...{
      name: `enclave ${index}`,
      trace,
      cpu,
      runs: 300,
      repeat: 1,
      measured: false,
      buildCost,
      startCycles,
    },
    dynamicShare: isServer ? drawn.dynamicShare : 0,
    ...(isSharing ? { moreCpus, deal: 'turns' } : { moreThreads }),
  };
}

const distancesOf = (nodes: number) =>
  Array.from({ length: nodes }, (_, from) =>
    Array.from({ length: nodes }, (__, to) => (from === to ? 10 : 15 + 5 * Math.abs(from - to))),
  );

describe('time is conserved', () => {
  it('in any run', () => {
    let complete = 0;
    fc.assert(
      fc.property(scenarios, (scenario) => {
        const report = runOrNull(scenario, false);
        if (report === null) return;
        complete++;
        expectConserved(report);
      }),
      { numRuns: 20, seed: 1, endOnFailure: true },
    );
    expect(complete).toBeGreaterThan(15);
  });

  it('and nothing depends on how it is simulated', () => {
    fc.assert(
      fc.property(scenarios, (scenario) => {
        const [fast, strict] = [false, true].map((isStrict) => runOrNull(scenario, isStrict));
        expect(JSON.stringify(fast)).toBe(JSON.stringify(strict));
      }),
      { numRuns: 6, seed: 2, endOnFailure: true },
    );
  });
});

/** A run, or null if a program cannot go on: threads that take turns on a CPU may keep each other from progress. */
function runOrNull(scenario: Scenario, isStrict: boolean): RunReport | null {
  try {
    return runScenario(scenario, smallTraces, { timed: { isStrict } });
  } catch (error) {
    if (error instanceof RunFailure) return null;
    throw error;
  }
}
