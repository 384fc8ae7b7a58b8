import { describe, expect, it } from 'vitest';
import type { RunReport, Scenario, TraceColumns, VmReport } from '../../../src/index.js';
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

/** The error that a scenario ends with. */
function failureOf(scenario: Scenario): RunFailure {
  try {
    runScenario(scenario, smallTraces);
  } catch (error) {
    if (error instanceof RunFailure) return error;
    throw error;
  }
  throw new Error('nothing has failed');
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

  it('have version array pages of the host, which can be made when they are needed', () => {
    const runWith = (hostVersionArrays: 'fixed' | 'evictable') => {
      const enclaves = [guestEnclave('app', 'uniform', { runs: 600 })];
      const vms = [smallVm('only', 0, 2048, { enclaves })];
      return vmOf(checkedRun(vmScenario(vms, { ...machineOf(2, 400), hostVersionArrays })));
    };
    const fixed = runWith('fixed').versionArrays;
    expect(fixed).toEqual({ resident: 4, peak: 4, evicted: 0, evictions: 0, loads: 0 });
    const { versionArrays, hostEvictions } = runWith('evictable');
    expect(hostEvictions).toBeGreaterThan(100);
    expect(versionArrays.resident + versionArrays.evicted).toBeLessThanOrEqual(5);
    expect(versionArrays.peak).toBeLessThanOrEqual(4);
    expect(versionArrays.evictions - versionArrays.loads).toBe(versionArrays.evicted);
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

  it('lets each thread replay a trace of its own, in one address space, from a time of its own', () => {
    const app = guestEnclave('app', 'uniform', {
      moreThreads: [
        { trace: 'scan', vcpu: 1, startCycles: 30_000_000 },
        { trace: 'uniform', vcpu: 0 },
      ],
    });
    const vms = [smallVm('two', 0, 200, { cpus: [0, 1], enclaves: [app] })];
    const vm = vmOf(checkedRun(vmScenario(vms, machineOf(4, 256))));
    const [uniform, scan] = ['uniform', 'scan'].map((name) => smallTraces.get(name) as TraceColumns);
    const [{ pages, accesses, runCycles }] = vm.enclaves as [(typeof vm.enclaves)[number]];
    const [ofUniform, ofScan] = [uniform, scan].map((trace) => trace?.count.reduce((a, b) => a + b) ?? 0);
    expect(accesses).toBe(2 * (ofUniform as number) + (ofScan as number));
    const touched = new Set([...(uniform?.pageNumber ?? []), ...(scan?.pageNumber ?? [])]);
    expect(pages).toBe(touched.size + 3);
    expect(runCycles).toBeGreaterThan(30_000_000);
  });

  it('do not report how enclaves were built that are there when time begins', () => {
    const run = (buildCost: boolean) => {
      const app = guestEnclave('app', 'uniform', { vcpus: [0, 1], deal: 'turns', runs: 600, buildCost });
      const vms = [smallVm('two', 0, 200, { cpus: [0, 1], enclaves: [app] })];
      return vmOf(checkedRun(vmScenario(vms, machineOf(4, 256))));
    };
    const [with_, without] = [run(true), run(false)];
    expect([with_.accesses, without.accesses]).toEqual([600, 600]);
    expect(with_.enclaves[0]?.buildCycles).toBeGreaterThan(0);
    expect(without.enclaves[0]).toMatchObject({ buildCycles: 0, rebuilds: 0 });
    expect(without.cyclesByCause['EADD']).toBeUndefined();
    expect([with_.exits.encls, without.exits.encls]).toEqual([2, 0]);
    expect(without.guestEvictions).toBeLessThan(with_.guestEvictions);
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
    expect(failureOf({ ...sharing, hostReclaim: false })).toMatchObject({
      details: ['EPC: 280 pages', 'the kernel of a guest touches all of its EPC when it starts: 320 pages'],
      hint: 'Give the machine more EPC, or let the host reclaim from guests.',
    });
  });

  it('names the group whose limit stops it', () => {
    const vms = [smallVm('only', 0, 200, { cgroup: '/guests' })];
    const cgroups = { groups: [{ path: '/guests', maxBytes: 100 * 4096 }] };
    const failure = failureOf(vmScenario(vms, { ...machineOf(2, 400), hostReclaim: false, cgroups }));
    expect(failure.message).toContain('cannot start');
    expect(failure.details[0]).toBe("cgroup '/guests' may have 100 pages");
    expect(failure.hint).toBe("Raise the limit of cgroup '/guests', or let the host reclaim from guests.");
  });

  it('says what a program cannot do, and how that ends', () => {
    const enclaves = [0, 1, 2, 3].map((vcpu) => guestEnclave(`app ${vcpu}`, 'uniform', { vcpus: [vcpu] }));
    const reclaim = { batchPages: 16, lowPages: 2, highPages: 4 };
    const vm = smallVm('full', 0, 10, { cpus: [0, 1, 2, 3], enclaves, reclaim });
    const failure = failureOf(vmScenario([vm], machineOf(4, 300)));
    expect(failure.message).toMatch(/of virtual machine 'full' cannot run: ADD_PAGES fails \(ENOMEM\)\.$/);
    expect(failure.hint).toBe('Give the guest more EPC.');
  });
});

describe.each(['linux-6', 'epckit'] as const)('a guest with kernel %s that is migrated', (kernel) => {
  it('builds its enclaves again with all their threads, and does all its references', () => {
    const enclaves = [
      guestEnclave('app', 'uniform', { vcpus: [0, 1], deal: 'turns', runs: 900 }),
      guestEnclave('other', 'scan', { vcpus: [2], runs: 600 }),
    ];
    const migrateCycles = [4_000_000, 9_000_000, 10 ** 12];
    const vm = smallVm('three', 0, 260, { cpus: [0, 1, 2], enclaves, kernel, migrateCycles });
    const report = vmOf(checkedRun(vmScenario([vm], machineOf(4, 360))));
    expect([report.migrations, report.accesses, report.stopReason]).toEqual([3, 1500, null]);
    const [app, other] = report.enclaves as [
      (typeof report.enclaves)[number],
      (typeof report.enclaves)[number],
    ];
    expect(Math.min(app.rebuilds, other.rebuilds)).toBeGreaterThan(0);
    expect(app.faults + other.faults).toBe(report.guestFaults);
    expect(app.evictions + other.evictions).toBe(report.guestEvictions);
    expect(report.exits.encls).toBeGreaterThan(4);
  });
});

it('counts of a guest go on after it was migrated: its instances are others then', () => {
  const first = smallVm('first', 0, 260, {
    ...{ migrateCycles: [9_000_000], kernel: 'epckit' },
    enclaves: [guestEnclave('app', 'uniform', { runs: 900 })],
  });
  const second = smallVm('second', 1, 260, { enclaves: [guestEnclave('app', 'scan', { runs: 900 })] });
  const scenario = vmScenario([first, second], machineOf(4, 300));
  const before = vmOf(checkedRun({ ...scenario, horizonCycles: 8_900_000 }));
  const after = vmOf(checkedRun(scenario));
  expect([before.migrations, after.migrations, after.accesses]).toEqual([1, 1, 900]);
  for (const count of ['hostEvictions', 'hostReloads'] as const) {
    expect(after[count]).toBeGreaterThan(before[count] + 50);
  }
});

it('all that a guest has after a migration is charged to the cgroup of its VMM', () => {
  const vm = smallVm('only', 0, 2048, { cgroup: '/guests', kernel: 'epckit', migrateCycles: [4_000_000] });
  const cgroups = { groups: [{ path: '/guests', maxBytes: 4096 * 4096 }] };
  const report = checkedRun(vmScenario([vm], { ...machineOf(2, 400), cgroups }));
  expect([vmOf(report).migrations, vmOf(report).versionArrays.resident]).toEqual([1, 4]);
  const [root, guests] = ['/', '/guests'].map((name) => {
    return report.cgroups?.groups.find(({ path }) => path === name);
  });
  expect(guests?.usage).toEqual(root?.usage);
});

it('a guest that overcommits its EPC survives migrations with the repaired kernel', () => {
  const enclaves = [0, 1].map((vcpu) => guestEnclave(`app ${vcpu}`, 'uniform', { vcpus: [vcpu], runs: 800 }));
  const migrateCycles = [3, 9, 14, 22].map((millions) => millions * 1_000_000);
  const small = { batchPages: 16, lowPages: 2, highPages: 4 };
  const vm = smallVm('small', 0, 40, {
    ...{ cpus: [0, 1], enclaves, migrateCycles, reclaim: small, kernel: 'epckit' },
  });
  const report = vmOf(checkedRun(vmScenario([vm], { ...machineOf(4, 120), hostReclaim: false })));
  expect([report.accesses, report.stopReason]).toEqual([1600, null]);
  expect(report.guestEvictions).toBeGreaterThan(1000);
});

describe('the same bytes', () => {
  it('every time', () => {
    const once = JSON.stringify(runScenario(sharing, smallTraces));
    expect(JSON.stringify(runScenario(sharing, smallTraces))).toBe(once);
  });

  it.each(['epckit', 'kvm-oversub'] as const)('if every point stops, preset %s', (preset) => {
    const app = guestEnclave('app', 'uniform', { vcpus: [0, 1], deal: 'turns', runs: 400 });
    const migrated = { kernel: 'epckit' as const, migrateCycles: [3_000_000] };
    const vm = smallVm('two', 0, 200, { cpus: [0, 1], enclaves: [app], ...migrated });
    const other = smallVm('three', 2, 200, { enclaves: [guestEnclave('app', 'scan', { runs: 200 })] });
    const scenario = vmScenario([vm, other], { preset, ...machineOf(4, 256) });
    const fast = runScenario(scenario, smallTraces, { timed: { sliceCycles: 50_000 } });
    const strict = runScenario(scenario, smallTraces, { timed: { sliceCycles: 50_000, isStrict: true } });
    expect(JSON.stringify(fast)).toBe(JSON.stringify(strict));
  });
});
