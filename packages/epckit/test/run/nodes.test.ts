import { describe, expect, it } from 'vitest';
import type { Scenario } from '../../src/index.js';
import { runScenario } from '../../src/index.js';
import { smallEnclave, smallScenario, smallTraces } from './small-scenario.js';

const two = {
  cpus: [0, 0, 1, 1].map((node) => ({ node })),
  sections: [0, 1].map((node) => ({ node, pageCount: 200 })),
};
const enclaves = [smallEnclave('A', 'uniform', 0), smallEnclave('B', 'scan', 2)];
const reclaim = smallScenario(enclaves).reclaim;
const run = (changes: Partial<Scenario>) =>
  runScenario(smallScenario(enclaves, { machine: two, ...changes }), smallTraces);

describe('daemons of a run', () => {
  it.each([1, 2, 4])('are %i, each with its part of the work', (daemons) => {
    const report = run({ reclaim: { ...reclaim, daemons } });
    expect(report.daemons).toHaveLength(daemons);
    expect(report.cpus).toHaveLength(4 + daemons);
    const sum = (of: 'evictions' | 'batches' | 'wakeups' | 'awakeCycles') =>
      report.daemons.reduce((all, one) => all + one[of], 0);
    expect(sum('evictions')).toBe(report.total.ksgxdEvictions);
    expect(sum('batches')).toBe(report.total.ksgxdBatches);
    expect(sum('wakeups')).toBe(report.total.ksgxdWakeups);
    expect(sum('awakeCycles')).toBe(report.ksgxd.awakeCycles);
    for (const { duty, awakeCycles } of report.daemons) {
      expect(duty).toBe(awakeCycles / report.total.elapsedCycles);
      expect(duty).toBeLessThanOrEqual(1);
    }
    expect(report.freePages.last.at(-1)).toBe(400);
  });

  it('may be one per node', () => {
    const report = run({ reclaim: { ...reclaim, daemonNodes: 'perNode' } });
    expect(report.daemons.map(({ name, node }) => [name, node])).toEqual([
      ['ksgxd0', 0],
      ['ksgxd1', 1],
    ]);
    expect(report.total.accesses).toBe(5000);
  });
});

describe('distances', () => {
  const three = {
    cpus: [0, 1, 2].map((node) => ({ node })),
    sections: [0, 1, 2].map((node) => ({ node, pageCount: 120 })),
    distances: [
      [10, 30, 20],
      [30, 10, 20],
      [20, 20, 10],
    ],
  };
  const far = (fallback: 'ascending' | 'byDistance') =>
    runScenario(
      smallScenario([smallEnclave('A', 'uniform', 0)], { machine: three, allocator: { fallback } }),
      smallTraces,
    );

  it('make remote pages cost more, and decide about the order only if asked to', () => {
    const [ascending, near] = [far('ascending'), far('byDistance')];
    expect(ascending.total.remoteAllocations).toBeGreaterThan(0);
    expect(near.total.remoteAllocations).toBeGreaterThan(0);
    const remote = (report: typeof near) => report.enclaves[0]?.cyclesByCause['NUMA_REMOTE'] ?? 0;
    expect(remote(near)).toBeGreaterThan(0);
    expect(remote(near)).not.toBe(remote(ascending));
  });
});
