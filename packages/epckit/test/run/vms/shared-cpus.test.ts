import { describe, expect, it } from 'vitest';
import type { RunReport, Scenario } from '../../../src/index.js';
import { runScenario } from '../../../src/index.js';
import { smallEnclave, smallTraces, sumOf } from '../small-scenario.js';
import { guestEnclave, machineOf, smallVm, violationsOf, vmScenario } from './vm-scenario.js';

/** Three guests, two of them with two virtual CPUs, and an enclave of the host with two threads, on two CPUs. */
function crowded(hostReclaim: boolean): Scenario {
  const vm = (name: string, cpus: number[], trace: string) => {
    const app = guestEnclave('app', trace, { vcpus: cpus.map((_, vcpu) => vcpu), deal: 'turns', runs: 300 });
    return smallVm(name, 0, 200, { cpus, kernel: 'epckit', enclaves: [app] });
  };
  const vms = [vm('one', [0, 1], 'uniform'), vm('two', [1, 0], 'scan'), vm('three', [0], 'zipf')];
  const native = smallEnclave('native', 'zipf', 0, { runs: 300, moreCpus: [1] });
  return vmScenario(vms, { ...machineOf(3, hostReclaim ? 300 : 900), hostReclaim, enclaves: [native] });
}

/** Runs it; at the end no invariant of host and guests is broken. */
function checkedRun(scenario: Scenario, sliceCycles: number, isStrict = false): RunReport {
  let broken: readonly string[] = ['not looked at'];
  const onFinished = (...[epc]: Parameters<typeof violationsOf>) => {
    broken = violationsOf(epc);
  };
  const report = runScenario(scenario, smallTraces, { onFinished, timed: { sliceCycles, isStrict } });
  expect(broken).toEqual([]);
  return report;
}

describe.each([100_000, 10_500_000])('guests and enclaves that share CPUs, slice %i', (sliceCycles) => {
  it.each([
    ['with host reclaim', true],
    ['in segments', false],
  ])('take turns and do all their references, %s', (_, hostReclaim) => {
    const report = checkedRun(crowded(hostReclaim), sliceCycles);
    expect(report.vms?.map(({ accesses, stopReason }) => [accesses, stopReason])).toEqual(
      Array.from({ length: 3 }, () => [300, null]),
    );
    expect(report.enclaves[0]?.accesses).toBe(300);
    for (const { cyclesByCause } of report.vms ?? []) expect(cyclesByCause['CPU_WAIT']).toBeGreaterThan(0);
    expect(report.total.contextSwitches).toBeGreaterThan(100);
    const ends = report.cpus.map(({ idleCycles, cyclesByCause }) => idleCycles + sumOf(cyclesByCause));
    expect(new Set(ends).size).toBe(1);
  });
});

it('gives the same bytes if every point stops', () => {
  const fast = checkedRun(crowded(true), 200_000);
  expect(JSON.stringify(checkedRun(crowded(true), 200_000, true))).toBe(JSON.stringify(fast));
});

it('a guest that is migrated or stopped leaves the others of its CPUs alone', () => {
  const scenario = crowded(true);
  const [one, ...others] = scenario.vms as NonNullable<Scenario['vms']>;
  const vms = [{ ...(one as NonNullable<typeof one>), migrateCycles: [2_000_000, 6_000_000] }, ...others];
  const report = checkedRun({ ...scenario, vms }, 100_000);
  expect(report.vms?.map(({ accesses, migrations }) => [accesses, migrations])).toEqual([
    [300, 2],
    [300, 0],
    [300, 0],
  ]);
});
