import { Cost, costNames } from '@epckit/interface';
import type { Machine, MachineThread } from '@epckit/machine';
import type { Epc } from '../create-epc.js';
import { groupCycles } from './cause-groups.js';
import { costReports } from './costs.js';
import type { RunCounters } from './counters.js';
import { addLatencies, createLatencies, latencyReport } from './fault-latency.js';
import { groupReports } from './group-reports.js';
import { OPERATOR_NAME } from './operator.js';
import type { Program } from './program.js';
import type { ProgramThread } from './program-thread.js';
import type { CpuReport, DaemonReport, EnclaveReport, RunReport, ThreadReport } from './report.js';
import type { Scenario, TraceColumns } from './scenario.js';
import { countsOf } from './tally.js';
import { packageVersions } from './versions.js';
import { vmReports } from './vms/vm-reports.js';
import type { VmRun } from './vms/vm-run.js';

/** A run that has ended. */
export interface Finished {
  /** What was run. */
  readonly scenario: Scenario;
  /** Its traces by name. */
  readonly traces: ReadonlyMap<string, TraceColumns>;
  /** What trace points told. */
  readonly counters: RunCounters;
  /** The stack. */
  readonly epc: Epc;
  /** Programs in order of the scenario. */
  readonly programs: readonly Program[];
  /** Virtual machines in order of the scenario. */
  readonly vms: readonly VmRun[];
  /** Time at which the run began. */
  readonly began: number;
}

/** Brings everything together that there is to say of a run. */
export function reportOf(finished: Finished): RunReport {
  const { scenario, traces, counters, epc, programs, vms, began } = finished;
  const hertz = scenario.costs.clockGhz * 1e9;
  const enclaves = programs.map((program) => enclaveReport(counters, program, hertz));
  const sum = (of: (enclave: EnclaveReport) => number): number =>
    enclaves.reduce((all, one) => all + of(one), 0);
  const ends = [...programs.map(({ times }) => times.ended), ...vms.map(({ endOfWork }) => endOfWork)];
  const elapsedCycles = Math.max(began, ...ends) - began;
  const daemons = daemonReports(finished, elapsedCycles);
  const awakeCycles = daemons.reduce((all, one) => all + one.awakeCycles, 0);
  const { allocations, remoteAllocations, ksgxdEvictions, directEvictions } = counters;
  const latencies = createLatencies();
  for (const { latency } of programs) addLatencies(latencies, latency);
  return {
    format: 'epckit-run-1',
    versions: packageVersions(),
    seed: scenario.seed,
    scenario,
    traces: Object.fromEntries([...traces].map(([name, trace]) => [name, factsOf(trace)])),
    total: {
      ...countsOf(
        counters.total,
        sum((enclave) => enclave.accesses),
      ),
      ipiRounds: epc.ipi.rounds,
      ipiInterruptedCpus: epc.ipi.interruptedCpus,
      ksgxdWakeups: counters.ksgxdWakeups,
      ksgxdBatches: counters.ksgxdBatches,
      directReclaims: counters.directReclaims,
      vaPages: sum((enclave) => enclave.vaPages),
      epcPages: epc.frames.pageCount,
      peakEpcPages: counters.total.peakEpcPages,
      elapsedCycles,
      allocations,
      remoteAllocations,
      contextSwitches: epc.machine.schedulerCounts.switches,
      ksgxdEvictions,
      directEvictions,
    },
    shares: {
      ksgxdDuty: ratio(awakeCycles, elapsedCycles * daemons.length),
      directReclaim: ratio(directEvictions, directEvictions + ksgxdEvictions),
      remoteNode: ratio(remoteAllocations, allocations),
    },
    perEviction: {
      etrack: ratio(counters.total.etrack, counters.total.ewb),
      ipiRounds: ratio(epc.ipi.rounds, counters.total.ewb),
      ipiInterruptedCpus: ratio(epc.ipi.interruptedCpus, counters.total.ewb),
    },
    faultLatency: latencyReport(latencies),
    freePages: counters.freePages.report(),
    enclaves,
    ...(counters.guests === null ? {} : { vms: vmReports(vms, counters.guests, hertz) }),
    ...cgroupReport(finished, enclaves, elapsedCycles),
    ksgxd: { cyclesByCause: cyclesByCause(epc.daemons), awakeCycles },
    daemons,
    cpus: cpuReports(epc.machine, counters, began),
    locks: epc.machine.lockStatistics().filter(({ acquisitions }) => acquisitions > 0),
    costs: costReports(scenario.costs),
  };
}

function cgroupReport(
  { scenario, epc, counters, programs }: Finished,
  reports: readonly EnclaveReport[],
  elapsedCycles: number,
): Pick<RunReport, 'cgroups'> {
  const { cgroups: settings = null, enclaves } = scenario;
  const { cgroups } = epc;
  if (settings === null || cgroups === null || counters.groups === null) return {};
  const nameOf = (owner: number) =>
    programs.find(({ enclave }) => enclave.id === owner)?.name ?? `owner ${owner}`;
  const operators = epc.machine.threads.filter(({ name }) => name === OPERATOR_NAME);
  const workers = [...cgroups.workers, ...operators];
  const workerCycles = cyclesByCause(workers);
  const epcPages = epc.frames.pageCount;
  const facts = { settings, enclaves, reports, nameOf, epcPages, elapsedCycles, workers, workerCycles };
  return { cgroups: groupReports({ ...facts, cgroups, counters: counters.groups }) };
}

function daemonReports({ epc, counters }: Finished, elapsedCycles: number): DaemonReport[] {
  return epc.daemons.map((thread): DaemonReport => {
    const { times, wakeups, batches, evictions } = counters.daemon(thread.id);
    const awakeCycles = awakeUntil(elapsedCycles, times);
    const { name, cpu, node } = thread;
    const duty = ratio(awakeCycles, elapsedCycles);
    const causes = cyclesByCause([thread]);
    return { name, cpu, node, duty, awakeCycles, wakeups, batches, evictions, cyclesByCause: causes };
  });
}

function enclaveReport(counters: RunCounters, program: Program, hertz: number): EnclaveReport {
  const tally = counters.of(program.enclave.id);
  const { began, built, ended } = program.times;
  const entered = Math.min(...program.threads.map((member) => member.entered));
  return {
    name: program.name,
    ...countsOf(tally, program.accesses),
    pages: program.pageCount,
    vaPages: program.vaPages,
    peakEpcPages: tally.peakEpcPages,
    runCycles: ended - entered,
    buildCycles: built - began,
    cyclesByCause: cyclesByCause(program.threads.map(({ thread }) => thread)),
    faultLatency: latencyReport(program.latency),
    threads: program.threads.map((member) => threadReport(counters, member, hertz)),
    ...(program.failure === null ? {} : { failure: program.failure }),
  };
}

function threadReport(counters: RunCounters, member: ProgramThread, hertz: number): ThreadReport {
  const { cpu, accesses, thread } = member;
  const runCycles = member.ended - member.entered;
  return {
    cpu: cpu.id,
    accesses,
    runCycles,
    accessesPerSecond: ratio(accesses * hertz, runCycles),
    cyclesByCause: cyclesByCause([thread]),
    lockWaitCycles: counters.lockWaits([thread.id]),
  };
}

/** Every CPU's time until the last event of all; waiting for the start is idle, too. */
function cpuReports(machine: Machine, counters: RunCounters, began: number): CpuReport[] {
  return Array.from({ length: machine.cpuCount }, (_, cpu): CpuReport => {
    const { startedAt, idle, cycles } = machine.timeOf(cpu);
    const { [waiting]: waited = 0, ...causes } = causesOf((key) => cycles[key] as number);
    const idleCycles = idle - (began - startedAt) + waited;
    const threads = machine.threads.filter((thread) => thread.cpu === cpu);
    return {
      cpu,
      node: machine.nodeOf(cpu),
      idleCycles,
      cyclesByCause: causes,
      cyclesByGroup: groupCycles(causes),
      lockWaitCycles: counters.lockWaits(threads.map(({ id }) => id)),
    };
  });
}

const waiting = costNames[Cost.EVENT_WAIT] as string;

function awakeUntil(end: number, times: readonly number[]): number {
  let awake = 0;
  for (let i = 0; i < times.length; i += 2) {
    awake += Math.min(end, times[i + 1] ?? end) - Math.min(end, times[i] as number);
  }
  return awake;
}

function ratio(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}

function factsOf(trace: TraceColumns): { runs: number; uniquePages: number } {
  return { runs: trace.length, uniquePages: trace.pageNumber.length };
}

function cyclesByCause(threads: readonly MachineThread[]): Record<string, number> {
  return causesOf((key) => threads.reduce((sum, thread) => sum + (thread.cycles[key] as number), 0));
}

/** Cycles by cost name, zeros left out. */
function causesOf(cyclesOf: (key: number) => number): Record<string, number> {
  const entries = costNames.map((name, key): [string, number] => [name, cyclesOf(key)]);
  return Object.fromEntries(entries.filter(([, cycles]) => cycles > 0));
}
