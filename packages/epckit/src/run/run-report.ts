import { Cost, costNames } from '@epckit/interface';
import type { Machine, MachineThread } from '@epckit/machine';
import type { Epc } from '../create-epc.js';
import type { RunCounters } from './counters.js';
import { addLatencies, createLatencies, latencyReport } from './fault-latency.js';
import type { Program } from './program.js';
import type { CpuReport, EnclaveReport, RunReport, ThreadReport } from './report.js';
import type { Scenario, TraceColumns } from './scenario.js';
import { countsOf } from './tally.js';
import { packageVersions } from './versions.js';

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
  /** Time at which the run began. */
  readonly began: number;
}

/** Brings everything together that there is to say of a run. */
export function reportOf(finished: Finished): RunReport {
  const { scenario, traces, counters, epc, programs, began } = finished;
  const enclaves = programs.map((program) => enclaveReport(counters, program));
  const sum = (of: (enclave: EnclaveReport) => number): number =>
    enclaves.reduce((all, one) => all + of(one), 0);
  const elapsedCycles = Math.max(...programs.map(({ times }) => times.ended)) - began;
  const awakeCycles = awakeUntil(elapsedCycles, counters.daemonTimes);
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
      ksgxdEvictions,
      directEvictions,
    },
    shares: {
      ksgxdDuty: ratio(awakeCycles, elapsedCycles),
      directReclaim: ratio(directEvictions, directEvictions + ksgxdEvictions),
      remoteNode: ratio(remoteAllocations, allocations),
    },
    faultLatency: latencyReport(latencies),
    freePages: counters.freePages.report(),
    enclaves,
    ksgxd: { cyclesByCause: cyclesByCause([epc.ksgxd]), awakeCycles },
    cpus: cpuReports(epc.machine, began),
    locks: epc.machine.lockStatistics().filter(({ acquisitions }) => acquisitions > 0),
  };
}

function enclaveReport(counters: RunCounters, program: Program): EnclaveReport {
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
    threads: program.threads.map(
      (member): ThreadReport => ({
        cpu: member.cpu.id,
        accesses: member.accesses,
        runCycles: member.ended - member.entered,
        cyclesByCause: cyclesByCause([member.thread]),
      }),
    ),
  };
}

/** Every CPU's time until the last event of all; waiting for the start is idle, too. */
function cpuReports(machine: Machine, began: number): CpuReport[] {
  return Array.from({ length: machine.cpuCount }, (_, cpu): CpuReport => {
    const { startedAt, idle, cycles } = machine.timeOf(cpu);
    const { [waiting]: waited = 0, ...causes } = causesOf((key) => cycles[key] as number);
    const idleCycles = idle - (began - startedAt) + waited;
    return { cpu, node: machine.nodeOf(cpu), idleCycles, cyclesByCause: causes };
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
