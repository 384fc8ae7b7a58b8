import { generateCyclicScan } from '@epckit/trace';
import { describe, expect, it } from 'vitest';
import type { RunReport, Scenario, VmReport } from '../../../src/index.js';
import { runScenario } from '../../../src/index.js';
import { guestEnclave, machineOf, smallVm, violationsOf, vmScenario } from './vm-scenario.js';

/** Every page is used in turn, so more are out of the EPC than one version array page has slots for. */
const traces = new Map([
  ['wide', generateCyclicScan({ runCount: 750, pageCount: 620, writeShare: 0.5, seed: 3 })],
]);

/** A guest on two virtual CPUs that has much more enclave than the host has EPC. */
function wideVm(migrateCycles: readonly number[]) {
  const enclaves = [guestEnclave('app', 'wide', { vcpus: [0, 1], deal: 'turns', runs: 750 })];
  return smallVm('wide', 0, 640, { cpus: [0, 1], enclaves, kernel: 'epckit', migrateCycles });
}

/** Runs it; at the end no invariant of host and guest is broken. */
function checkedRun(
  migrateCycles: readonly number[],
  isStrict: boolean,
  changes: Partial<Scenario> = {},
): RunReport {
  const reclaim = { batchPages: 16, lowPages: 8, highPages: 16, policy: 'second-chance' } as const;
  const host = { ...machineOf(3, 100), reclaim, hostVersionArrays: 'evictable' } as const;
  let broken: readonly string[] = ['not looked at'];
  const onFinished = (...[epc]: Parameters<typeof violationsOf>) => {
    broken = violationsOf(epc);
  };
  const scenario = vmScenario([wideVm(migrateCycles)], { ...host, ...changes });
  const report = runScenario(scenario, traces, { onFinished, timed: { isStrict } });
  expect(broken).toEqual([]);
  return report;
}

describe.each([
  ['that stays', []],
  ['that is migrated', [60_000_000]],
])('a guest %s, whose version array pages leave the EPC for others', (_, migrateCycles) => {
  it('does all its references, and the report has the same bytes if every point stops', () => {
    const report = checkedRun(migrateCycles, false);
    const [vm] = report.vms as [VmReport];
    expect([vm.accesses, vm.stopReason, vm.migrations]).toEqual([750, null, migrateCycles.length]);
    expect(vm.enclaves[0]?.rebuilds).toBe(migrateCycles.length);
    const { resident, peak, evicted, evictions, loads } = vm.versionArrays;
    // Two leaves below one node, as much EPC as two fixed pages.
    expect([resident, peak, evicted]).toEqual([2, 2, 1]);
    expect(Math.min(evictions, loads)).toBeGreaterThan(20);
    expect(JSON.stringify(checkedRun(migrateCycles, true))).toBe(JSON.stringify(report));
  });
});

it('counts of version array pages go on after a migration', () => {
  const countsUntil = (horizonCycles: number) => {
    const [vm] = checkedRun([60_000_000], false, { horizonCycles }).vms as [VmReport];
    return vm;
  };
  const before = countsUntil(59_900_000);
  const after = countsUntil(61_000_000);
  expect(before.versionArrays.evictions).toBeGreaterThan(5);
  expect(after.migrations).toBe(1);
  for (const count of ['peak', 'evictions', 'loads'] as const) {
    expect(after.versionArrays[count]).toBeGreaterThanOrEqual(before.versionArrays[count]);
  }
});
