import { describe, expect, it } from 'vitest';
import type { RunReport, Scenario, VmReport } from '../../../src/index.js';
import { RunFailure, runScenario } from '../../../src/index.js';
import { smallEnclave, smallTraces, sumOf } from '../small-scenario.js';
import { guestEnclave, machineOf, smallVm, violationsOf, vmScenario } from './vm-scenario.js';

/** Runs a scenario; at its end no invariant of host and guests is broken. */
function checkedRun(scenario: Scenario): RunReport {
  let broken: readonly string[] = ['not looked at'];
  const onFinished = (...[epc]: Parameters<typeof violationsOf>) => {
    broken = violationsOf(epc);
  };
  const report = runScenario(scenario, smallTraces, { onFinished });
  expect(broken).toEqual([]);
  return report;
}

function vmOf(report: RunReport, index = 0): VmReport {
  return report.vms?.[index] as VmReport;
}

/** Two guests that were given 320 pages each, on a host with 280. */
const sharing = vmScenario(
  [
    smallVm('first', 0, 320, { enclaves: [guestEnclave('app', 'uniform', { runs: 600 })] }),
    smallVm('second', 1, 320, {
      enclaves: [guestEnclave('late', 'scan', { startCycles: 20_000_000, runs: 400 })],
    }),
  ],
  machineOf(4, 280),
);

describe('virtual machines of a scenario', () => {
  it('share the EPC: the host takes from one what the other needs, and both get on', () => {
    const report = checkedRun(sharing);
    const [first, second] = report.vms as [VmReport, VmReport];
    expect([first.accesses, second.accesses]).toEqual([600, 400]);
    for (const vm of [first, second]) {
      expect(vm).toMatchObject({ epcPages: 320, guestEvictions: 0, guestLoads: 0, stopReason: null });
      expect(Math.min(vm.hostEvictions, vm.hostReloads, vm.faultLatency.host.count)).toBeGreaterThan(0);
      expect(vm.exits).toMatchObject({ encls: 2 });
      expect(vm.exits.eptViolations).toBeGreaterThanOrEqual(vm.hostReloads);
      expect(vm.residentPages).toBeLessThanOrEqual(vm.peakPages);
      expect(vm.peakPages).toBeLessThanOrEqual(280);
    }
    expect(second.cyclesByCause['EVENT_WAIT']).toBeGreaterThanOrEqual(20_000_000);
    expect(report.total).toMatchObject({ accesses: 0, faults: 0, ewb: 0 });
  });

  it('are segments without host reclaim: the guest evicts within its own', () => {
    const report = checkedRun(
      vmScenario([smallVm('only', 0, 128, { enclaves: [guestEnclave('app', 'zipf', { runs: 800 })] })], {
        hostReclaim: false,
      }),
    );
    const vm = vmOf(report);
    expect(vm).toMatchObject({ hostEvictions: 0, hostReloads: 0, residentPages: 128, peakPages: 128 });
    // ECREATE and EINIT are KVM's.
    expect(vm.exits).toEqual({ eptViolations: 0, encls: 2, conflicts: 0 });
    expect(Math.min(vm.guestEvictions, vm.guestLoads, vm.faultLatency.load.count)).toBeGreaterThan(0);
    const [app] = vm.enclaves as [(typeof vm.enclaves)[number]];
    expect(app.loads).toBeLessThanOrEqual(vm.guestLoads);
    expect(app.faults).toBe(vm.guestFaults);
    expect(app.evictions).toBe(vm.guestEvictions);
  });

  it('counts enclaves that follow each other on a virtual CPU apart', () => {
    const enclaves = [
      guestEnclave('small', 'scan', { runs: 300 }),
      guestEnclave('large', 'uniform', { runs: 300, startCycles: 1_000_000 }),
    ];
    const vm = vmOf(checkedRun(vmScenario([smallVm('only', 0, 400, { enclaves })], machineOf(2, 600))));
    const [small, large] = vm.enclaves as [(typeof vm.enclaves)[number], (typeof vm.enclaves)[number]];
    expect(small.faults + large.faults).toBe(vm.guestFaults);
    expect(small.faults).toBeLessThan(vm.guestFaults);
    expect([small.accesses, large.accesses]).toEqual([300, 300]);
  });

  it('runs threads on several virtual CPUs beside an enclave of the host, and every cycle is in one place', () => {
    const app = guestEnclave('app', 'uniform', { vcpus: [0, 1], deal: 'turns', runs: 600 });
    const vm = smallVm('two', 0, 200, { cpus: [0, 1], enclaves: [app] });
    const report = checkedRun(
      vmScenario([vm], {
        ...machineOf(4, 256),
        enclaves: [smallEnclave('native', 'zipf', 2, { runs: 400 })],
      }),
    );
    expect(vmOf(report).accesses).toBe(600);
    expect(report.enclaves[0]?.accesses).toBe(400);
    expect(report.total.ewb).toBeGreaterThan(0);
    const ends = report.cpus.map(({ idleCycles, cyclesByCause }) => idleCycles + sumOf(cyclesByCause));
    expect(new Set(ends).size).toBe(1);
  });

  it('takes pages that were touched in advance', () => {
    const sections = [{ pageCount: 64, node: 0, isPreallocated: true }];
    const enclaves = [guestEnclave('app', 'scan', { runs: 50 })];
    const report = checkedRun(
      vmScenario([smallVm('only', 0, 64, { sections, enclaves })], {
        ...machineOf(2, 200),
        hostReclaim: false,
      }),
    );
    expect(vmOf(report).residentPages).toBe(64);
  });

  it('stops at a horizon', () => {
    const report = checkedRun({ ...sharing, horizonCycles: 12_000_000 });
    expect(vmOf(report, 1).accesses).toBe(0);
  });

  it('charges the VMM of a guest to its group', () => {
    const report = checkedRun({
      ...sharing,
      vms: [{ ...(sharing.vms?.[0] as object), cgroup: '/guests' } as NonNullable<Scenario['vms']>[number]],
      cgroups: { groups: [{ path: '/guests', maxBytes: 200 * 4096 }] },
    });
    expect(vmOf(report).accesses).toBe(600);
    const group = report.cgroups?.groups.find(({ path }) => path === '/guests');
    expect(group?.peakPages).toBeLessThanOrEqual(200);
    expect(group?.useAtPeak.vepc).toBeGreaterThan(100);
  });

  it('cannot start without enough EPC when nothing is taken from guests', () => {
    expect(() => runScenario({ ...sharing, hostReclaim: false }, smallTraces)).toThrow(RunFailure);
  });
});

describe('the same bytes', () => {
  it('every time', () => {
    const once = JSON.stringify(runScenario(sharing, smallTraces));
    expect(JSON.stringify(runScenario(sharing, smallTraces))).toBe(once);
  });

  it.each(['epckit', 'kvm-oversub'] as const)('if every point stops, preset %s', (preset) => {
    const app = guestEnclave('app', 'uniform', { vcpus: [0, 1], deal: 'turns', runs: 400 });
    const vm = smallVm('two', 0, 200, { cpus: [0, 1], enclaves: [app] });
    const other = smallVm('three', 2, 200, { enclaves: [guestEnclave('app', 'scan', { runs: 200 })] });
    const scenario = vmScenario([vm, other], { preset, ...machineOf(4, 256) });
    const fast = runScenario(scenario, smallTraces, { timed: { sliceCycles: 50_000 } });
    const strict = runScenario(scenario, smallTraces, { timed: { sliceCycles: 50_000, isStrict: true } });
    expect(JSON.stringify(fast)).toBe(JSON.stringify(strict));
  });
});
