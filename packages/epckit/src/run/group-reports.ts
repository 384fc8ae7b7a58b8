import type { MiscGroup } from '@epckit/cgroup';
import { EpcRefusal, Resource } from '@epckit/cgroup';
import type { Cgroups } from '../cgroups/cgroups.js';
import type { GroupCounters, GroupTally } from './group-counters.js';
import { usageOf } from './group-counters.js';
import type { GroupReport, GroupReports, ReclaimedPages, WorkerReport } from './group-report.js';
import type { EnclaveReport } from './report.js';
import type { ScenarioEnclave } from './scenario.js';
import type { ScenarioCgroups } from './scenario-groups.js';

/** What there is to say of the cgroups of a run. */
export interface GroupFacts {
  /** The controller. */
  readonly cgroups: Cgroups;
  /** What trace points told. */
  readonly counters: GroupCounters;
  /** Groups of the scenario. */
  readonly settings: ScenarioCgroups;
  /** Enclaves of the scenario. */
  readonly enclaves: readonly ScenarioEnclave[];
  /** Their reports, in the same order. */
  readonly reports: readonly EnclaveReport[];
  /** Names of enclaves by their ids. */
  readonly nameOf: (owner: number) => string;
  /** Pages of the machine. */
  readonly epcPages: number;
  /** Cycles until the last enclave had ended. */
  readonly elapsedCycles: number;
  /** Threads of the controller. */
  readonly workers: readonly WorkerReport[];
  /** Their cycles by cause. */
  readonly workerCycles: Readonly<Record<string, number>>;
}

/** Reports per group, and how fair it was. */
export function groupReports(facts: GroupFacts): GroupReports {
  const { cgroups, settings, workerCycles } = facts;
  return {
    design: cgroups.engine.options.name,
    groups: ['/', ...settings.groups.map(({ path }) => path)].map((path) => groupReport(facts, path)),
    fairness: jainIndex(throughputs(facts)),
    workers: {
      runs: cgroups.engine.workers.runs,
      threads: facts.workers.map(({ name, cpu }) => ({ name, cpu })),
      cyclesByCause: workerCycles,
    },
  };
}

/**
 * Jain index of how something is shared: (Σx)² by n·Σx². 1 if all have the same, 1/n if one has everything; 1 for
 * nobody or nothing.
 */
export function jainIndex(shares: readonly number[]): number {
  const sum = shares.reduce((all, one) => all + one, 0);
  const squares = shares.reduce((all, one) => all + one * one, 0);
  return squares === 0 ? 1 : (sum * sum) / (shares.length * squares);
}

/** References per cycle of each enclave; those that could not go on have the whole time for what they got. */
function throughputs({ reports, elapsedCycles }: GroupFacts): number[] {
  return reports.map(({ accesses, runCycles, failure }) => {
    const cycles = failure === undefined ? runCycles : Math.max(elapsedCycles, 1);
    return cycles === 0 ? 0 : accesses / cycles;
  });
}

function groupReport(facts: GroupFacts, path: string): GroupReport {
  const { cgroups, counters, nameOf } = facts;
  const { controller } = cgroups;
  const id = path === '/' ? controller.root.id : cgroups.group(path);
  const group = controller.group(id) as MiscGroup;
  const members = membersOf(facts, path);
  const tallies = below(cgroups, group).map((one) => counters.of(one.id));
  const own = counters.of(id);
  const { max, events, eventsLocal, watermark } = group.counters(Resource.SGX_EPC);
  const sum = (of: (tally: GroupTally) => number): number => tallies.reduce((all, one) => all + of(one), 0);
  const pages = (of: (tally: GroupTally) => ReclaimedPages): ReclaimedPages => ({
    lookedAt: sum((tally) => of(tally).lookedAt),
    evicted: sum((tally) => of(tally).evicted),
  });
  const total = (of: (report: EnclaveReport) => number): number =>
    members.reduce((all, one) => all + of(one), 0);
  return {
    path,
    maxBytes: max.exact > Number.MAX_SAFE_INTEGER ? null : Number(max.exact),
    enclaves: members.map(({ name }) => name),
    usage: usageOf(own, facts.epcPages),
    peakPages: own.peakPages,
    miscPeakBytes: watermark.value,
    useAtPeak: own.useAtPeak,
    events: events.value,
    eventsLocal: eventsLocal.value,
    refusals: {
      limit: sum(({ refusals }) => refusals[EpcRefusal.LIMIT] as number),
      machine: sum(({ refusals }) => refusals[EpcRefusal.MACHINE] as number),
      backing: sum(({ refusals }) => refusals[EpcRefusal.BACKING] as number),
    },
    reclaimedFrom: pages(({ from }) => from),
    reclaimedBy: pages(({ by }) => by),
    reclaimedByWorkers: pages(({ byWorkers }) => byWorkers),
    accesses: total(({ accesses }) => accesses),
    faults: total(({ faults }) => faults),
    faultRetries: total(({ faultRetries }) => faultRetries),
    eldu: total(({ eldu }) => eldu),
    victims: tallies.flatMap(({ victims }) => victims.map(nameOf)),
    failed: members.flatMap(({ name, failure }) => (failure === undefined ? [] : [name])),
  };
}

/** Reports of the enclaves in a directory and below. */
function membersOf({ enclaves, reports }: GroupFacts, path: string): EnclaveReport[] {
  const prefix = path === '/' ? '/' : `${path}/`;
  return reports.filter((_, index) => `${enclaves[index]?.cgroup ?? ''}/`.startsWith(prefix));
}

/** A group and all below it. */
function below({ controller }: Cgroups, top: MiscGroup): MiscGroup[] {
  const groups: MiscGroup[] = [];
  for (let at: MiscGroup | null = top; at !== null; at = controller.after(top, at)) groups.push(at);
  return groups;
}
