import { describe, expect, it } from 'vitest';
import type { RunEvent, Scenario, ScenarioEnclave } from '../../src/index.js';
import { runScenario } from '../../src/index.js';
import { smallEnclave, smallScenario, smallTraces, sumOf } from './small-scenario.js';

const machine = { cpus: [{ node: 0 }], sections: [{ node: 0, pageCount: 300 }], sliceCycles: 200_000 };
const run = (enclaves: readonly ScenarioEnclave[], changes: Partial<Scenario> = {}) =>
  runScenario(smallScenario(enclaves, { machine, ...changes }), smallTraces);
const both = [smallEnclave('A', 'uniform', 0), smallEnclave('B', 'scan', 0)];

describe('threads that share a CPU', () => {
  it('take turns, and do all their references', () => {
    const report = run(both);
    expect(report.enclaves.map(({ accesses }) => accesses)).toEqual([3000, 2000]);
    expect(report.total.contextSwitches).toBeGreaterThan(20);
    const waited = report.enclaves.map(({ cyclesByCause }) => cyclesByCause['CPU_WAIT'] ?? 0);
    expect(Math.min(...waited)).toBeGreaterThan(0);
    expect(report.freePages.last.at(-1)).toBe(300);
    const ends = report.cpus.map(({ idleCycles, cyclesByCause }) => idleCycles + sumOf(cyclesByCause));
    expect(new Set(ends).size).toBe(1);
  });

  it('may be of one enclave, and built before the run', () => {
    const shared = smallEnclave('A', 'uniform', 0, { moreCpus: [0, 0], buildCost: false });
    const report = run([shared, { ...both[1]!, buildCost: false }]);
    expect(report.enclaves[0]?.threads.map(({ cpu, accesses }) => [cpu, accesses])).toEqual([
      [0, 1000],
      [0, 1000],
      [0, 1000],
    ]);
    expect(report.total.eadd).toBe(0);
  });

  it('switch less with longer slices', () => {
    const switches = [100_000, 1_000_000].map((sliceCycles) => {
      const roomy = { ...machine, sections: [{ node: 0, pageCount: 2048 }], sliceCycles };
      const costs = { table: 'server', overrides: { COMPUTE: 5000 }, clockGhz: 3.2 } as const;
      return run(both, { machine: roomy, costs }).total.contextSwitches;
    });
    expect(switches[0]).toBeGreaterThan((switches[1] as number) * 2);
  });

  it('have names of their own in events, and faults that nest', () => {
    const events: RunEvent[] = [];
    const scenario = smallScenario(both, { machine });
    runScenario(scenario, smallTraces, { onEvent: (event) => events.push(event) });
    const names = new Set(events.map(({ threadName }) => threadName));
    expect([...names].sort()).toEqual(['cpu0', 'cpu0/1', 'ksgxd']);
    for (const name of names) {
      const open: string[] = [];
      for (const event of events.filter(({ threadName }) => threadName === name)) {
        if (event.phase === 'begin') open.push(event.name);
        if (event.phase === 'end') expect(open.pop()).toBe(event.name);
      }
      expect(open).toEqual([]);
    }
  });

  it('may share it with the daemon', () => {
    const reclaim = smallScenario(both).reclaim;
    const report = run(both, { reclaim: { ...reclaim, daemonPlacement: 'shared' } });
    expect(report.cpus).toHaveLength(1);
    expect(report.daemons).toMatchObject([{ name: 'ksgxd', cpu: 0 }]);
    expect(report.enclaves.map(({ accesses }) => accesses)).toEqual([3000, 2000]);
  });
});
