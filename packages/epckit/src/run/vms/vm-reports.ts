import { costNames } from '@epckit/interface';
import type { MachineThread } from '@epckit/machine';
import type { GuestCounters } from './guest-counters.js';
import { residentPages } from './guest-counters.js';
import type { GuestEnclave } from './guest-enclave.js';
import { addGuestLatencies, createGuestLatencies, guestLatencyReport } from './guest-latency.js';
import type { GuestEnclaveReport, VmReport } from './vm-report.js';
import type { VmRun } from './vm-run.js';

/** Reports of all virtual machines, in order of the scenario. @param hertz - cycles per second */
export function vmReports(runs: readonly VmRun[], counters: GuestCounters, hertz: number): VmReport[] {
  return runs.map((run) => vmReport(run, counters, hertz));
}

function vmReport(run: VmRun, counters: GuestCounters, hertz: number): VmReport {
  const { vm, probe, exits } = run;
  const counts = counters.of(vm);
  const enclaves = run.enclaves.map((enclave) => enclaveReport(run, enclave, hertz));
  const latency = createGuestLatencies();
  for (const enclave of run.enclaves) addGuestLatencies(latency, enclave.latency);
  const sum = (of: (enclave: GuestEnclaveReport) => number) =>
    enclaves.reduce((all, one) => all + of(one), 0);
  return {
    name: vm.name,
    epcPages: vm.epc.pageCount,
    residentPages: residentPages(vm),
    peakPages: counts.peakPages,
    hostEvictions: counts.hostEvictions,
    hostReloads: counts.hostReloads,
    versionArrays: run.versionArrays(),
    migrations: run.migrations,
    failedMigrations: run.failedMigrations,
    guestFaults: probe.total.faults,
    guestEvictions: probe.total.evictions,
    guestLoads: counts.guestLoads,
    exits: { eptViolations: exits.violations, encls: exits.trappedLeaves, conflicts: exits.conflicts },
    accesses: sum(({ accesses }) => accesses),
    accessesPerSecond: sum(({ accessesPerSecond }) => accessesPerSecond),
    cyclesByCause: cyclesByCause(run.threads),
    faultLatency: guestLatencyReport(latency),
    enclaves,
    stopReason: vm.state === 'stopped' ? vm.stopReason : null,
  };
}

function enclaveReport(run: VmRun, enclave: GuestEnclave, hertz: number): GuestEnclaveReport {
  const { began, built, entered, accesses } = enclave;
  // Who is stopped in the middle has run until then.
  const ended = run.vm.state === 'stopped' ? run.ended : enclave.ended;
  const runCycles = Math.max(0, ended - Math.min(entered, ended));
  const { faults, evictions, loads } = enclave.counts;
  return {
    name: enclave.settings.name,
    pages: enclave.pageCount,
    ...{ accesses, faults, evictions, loads },
    rebuilds: enclave.program.rebuilds,
    buildCycles: Math.max(0, built - began),
    runCycles,
    accessesPerSecond: runCycles === 0 ? 0 : (accesses * hertz) / runCycles,
    faultLatency: guestLatencyReport(enclave.latency),
  };
}

/** Cycles by cost name, zeros left out. */
function cyclesByCause(threads: readonly MachineThread[]): Record<string, number> {
  const entries = costNames.map((name, key): [string, number] => {
    return [name, threads.reduce((sum, { cycles }) => sum + (cycles[key] as number), 0)];
  });
  return Object.fromEntries(entries.filter(([, cycles]) => cycles > 0));
}
