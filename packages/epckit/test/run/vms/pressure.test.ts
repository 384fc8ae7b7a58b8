import { generateUniform, generateZipf } from '@epckit/trace';
import { describe, expect, it } from 'vitest';
import type { RunReport, Scenario, ScenarioVm, TraceColumns, VmReport } from '../../../src/index.js';
import { runScenario } from '../../../src/index.js';
import { guestEnclave, machineOf, smallVm, violationsOf, vmScenario } from './vm-scenario.js';

/** Guests of which each has more enclave than EPC, on a host that gives them less than they were promised. */
interface Pressure {
  /** EPC of the host, in pages. */
  readonly host: number;
  /** Marks of the host, and of the guests. */
  readonly marks: readonly [low: number, high: number];
  /** EPC sections of each guest, in pages. */
  readonly sections: readonly number[];
  /** The VMM touches them before. */
  readonly isPreallocated?: boolean;
  /** Guests. */
  readonly vms: number;
  /** Virtual CPUs of each. */
  readonly vcpus: number;
  /** Enclaves of each guest: pages, and references to them. */
  readonly enclaves: readonly { readonly pages: number; readonly runs: number; readonly threads: number }[];
  /** Which pages are referenced. */
  readonly kind: 'zipf' | 'uniform';
}

/** An enclave of 500 pages with a thread on each of so many virtual CPUs. */
function large(runs: number, threads = 4): Pressure['enclaves'] {
  return [{ pages: 500, runs, threads }];
}

const low = { host: 90, marks: [2, 4], vms: 2, vcpus: 4, kind: 'zipf', isPreallocated: true } as const;
const small = [
  { pages: 150, runs: 1500, threads: 4 },
  { pages: 40, runs: 1500, threads: 2 },
];
const usual = { host: 400, marks: [32, 64], vms: 2, vcpus: 4, kind: 'zipf' } as const;
const single = { ...usual, vms: 4, vcpus: 1 };
const heavy = { host: 300, marks: [16, 32], vms: 2, vcpus: 4, kind: 'uniform' } as const;
const twoSections: Pressure = { ...heavy, sections: [130, 130], enclaves: large(1000) };

const cases: readonly (readonly [string, Pressure, readonly number[]])[] = [
  ['three sections, low marks', { ...low, sections: [60, 60, 13], enclaves: small }, [2, 5]],
  ['one section, low marks', { ...low, sections: [133], enclaves: small }, [1, 2]],
  ['two sections', { ...usual, sections: [200, 200], enclaves: large(2300) }, [2, 6]],
  ['one section', { ...usual, sections: [400], enclaves: large(2300) }, [1, 4]],
  ['one virtual CPU', { ...single, sections: [200, 200], enclaves: large(2300, 1) }, [5]],
  ['two sections, paging on both levels', twoSections, [1, 3]],
  ['one section, paging on both levels', { ...heavy, sections: [260], enclaves: large(1000) }, [1, 5]],
];

function scenarioOf({
  host,
  marks,
  sections,
  isPreallocated = false,
  vms,
  vcpus,
  enclaves,
}: Pressure): Scenario {
  const [lowPages, highPages] = marks;
  const vmOf = (index: number): ScenarioVm => {
    const cpus = Array.from({ length: vcpus }, (_, cpu) => index * vcpus + cpu);
    return smallVm(`guest ${index}`, 0, 0, {
      cpus,
      sections: sections.map((pageCount) => ({ pageCount, node: 0, isPreallocated })),
      reclaim: { batchPages: 16, lowPages, highPages },
      kernel: 'epckit',
      enclaves: enclaves.map(({ threads }, enclave) => {
        const places = Array.from({ length: threads }, (_, thread) => (enclave + thread) % vcpus);
        return guestEnclave(`app ${enclave}`, `${index}.${enclave}`, { vcpus: places, deal: 'turns' });
      }),
    });
  };
  const all = Array.from({ length: vms }, (_, index) => vmOf(index));
  const reclaim = { batchPages: 16, lowPages, highPages, policy: 'second-chance' } as const;
  return vmScenario(all, { ...machineOf(vms * vcpus, host), reclaim });
}

function tracesOf({ vms, enclaves, kind }: Pressure, seed: number): ReadonlyMap<string, TraceColumns> {
  const traces = new Map<string, TraceColumns>();
  for (let vm = 0; vm < vms; vm++) {
    for (const [enclave, { pages, runs }] of enclaves.entries()) {
      const options = {
        runCount: runs,
        pageCount: pages,
        writeShare: 1,
        seed: seed * 100 + vm * 10 + enclave,
      };
      const trace =
        kind === 'uniform'
          ? generateUniform(options)
          : generateZipf({ ...options, exponent: 1, shuffled: true });
      traces.set(`${vm}.${enclave}`, trace);
    }
  }
  return traces;
}

/** Runs it; at the end no invariant of host and guests is broken. */
function checkedRun(
  pressure: Pressure,
  seed: number,
  { isStrict = false, changes = {} }: { isStrict?: boolean; changes?: Partial<Scenario> } = {},
): RunReport {
  let broken: readonly string[] = ['not looked at'];
  const onFinished = (...[epc]: Parameters<typeof violationsOf>) => {
    broken = violationsOf(epc);
  };
  const scenario = { ...scenarioOf(pressure), ...changes };
  const report = runScenario(scenario, tracesOf(pressure, seed), { onFinished, timed: { isStrict } });
  expect(broken).toEqual([]);
  return report;
}

/** Sum over all guests. */
function sumOver({ vms = [] }: RunReport, of: (vm: VmReport) => number): number {
  return vms.reduce((sum, vm) => sum + of(vm), 0);
}

describe.each(cases)(
  'guests with more enclave than EPC, and more EPC than the host: %s',
  (_, pressure, seeds) => {
    it.each(seeds)(
      'do all their references, with conflicts and evictions on both levels, seed %i',
      (seed) => {
        const report = checkedRun(pressure, seed);
        const references = pressure.enclaves.reduce((sum, { runs }) => sum + runs, 0);
        expect(report.vms?.map(({ accesses, stopReason }) => [accesses, stopReason])).toEqual(
          Array.from({ length: pressure.vms }, () => [references, null]),
        );
        expect(sumOver(report, ({ exits }) => exits.conflicts)).toBeGreaterThan(0);
        expect(sumOver(report, ({ hostEvictions }) => hostEvictions)).toBeGreaterThan(500);
        expect(sumOver(report, ({ hostReloads }) => hostReloads)).toBeGreaterThan(500);
        expect(sumOver(report, ({ guestEvictions }) => guestEvictions)).toBeGreaterThan(20);
        expect(sumOver(report, ({ guestLoads }) => guestLoads)).toBeGreaterThan(5);
      },
    );
  },
);

it.each(cases.filter((_, index) => index === 1 || index === 5))(
  'gives the same bytes if every point stops: %s',
  (_, pressure) => {
    const shorter = {
      ...pressure,
      enclaves: pressure.enclaves.map((enclave) => ({ ...enclave, runs: 700 })),
    };
    const strict = checkedRun(shorter, 1, { isStrict: true });
    expect(JSON.stringify(strict)).toBe(JSON.stringify(checkedRun(shorter, 1)));
  },
);

it('a guest that is stopped leaves no thread waiting for an enclave that nobody builds any more', () => {
  // In one section: with two the published branch lets a guest's leaf fail while its enclave is built.
  const pressure = { ...twoSections, sections: [260], vcpus: 5 };
  const late = guestEnclave('late', '0.0', { vcpus: [0, 4], deal: 'turns' });
  const vms = (scenarioOf(pressure).vms ?? []).map((vm): ScenarioVm => {
    return { ...vm, kernel: 'linux-6', enclaves: [...vm.enclaves, late] };
  });
  const { vms: reports = [] } = checkedRun(pressure, 1, { changes: { vms, preset: 'kvm-oversub' } });
  for (const { stopReason, enclaves } of reports) {
    expect(stopReason).toBe('error: kvm run failed Bad address');
    expect(enclaves[1]).toMatchObject({ accesses: 0, buildCycles: 0 });
  }
});
