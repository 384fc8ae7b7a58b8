import { costNames } from '@epckit/interface';
import type { RunReport } from 'epckit';
import type { Combination } from './combinations.js';
import { groupParts } from './group-statistics.js';
import { commonParts, type PartSpreads, partSpreads } from './part-statistics.js';
import { causesOf, type Spread, spreadOf, statistics } from './statistics.js';
import type { Vary, VaryValue } from './vary.js';
import { vmParts } from './vm-parts.js';

/** One column of a comparison. */
export interface ComparedCombination {
  /** Value of each varied key, by the key as it was given. */
  readonly values: Readonly<Record<string, VaryValue>>;
  /** Every statistic over the seeds. */
  readonly statistics: Readonly<Record<string, Spread>>;
  /** Cycles of all threads by cause, over the seeds; causes that never occur are left out. */
  readonly cyclesByCause: Readonly<Record<string, Spread>>;
  /** Cycles of all threads that waited for a lock, by its name; locks that nobody ever waits for are left out. */
  readonly lockWaitCycles: Readonly<Record<string, Spread>>;
  /** Statistics over the seeds of each cgroup that all runs have, by its directory; left out without any. */
  readonly groups?: PartSpreads;
  /** Statistics over the seeds of each virtual machine that all runs have, by its name; left out without any. */
  readonly vms?: PartSpreads;
  /** One run per seed. */
  readonly runs: readonly {
    /** Seed of the run. */
    readonly seed: number;
    /** All that is known of it. */
    readonly report: RunReport;
  }[];
}

/** Result of a comparison. Byte-identical for equal scenario, traces, options and versions. */
export interface Comparison {
  /** Version of the format. */
  readonly format: 'epckit-compare-1';
  /** Title of the first scenario. */
  readonly name: string;
  /** Varied keys with their values, in order of the options. */
  readonly vary: readonly {
    /** The key as it was given. */
    readonly path: string;
    /** Its values. */
    readonly values: readonly VaryValue[];
  }[];
  /** Runs per combination. */
  readonly repeat: number;
  /** All combinations; the last key varies fastest. */
  readonly combinations: readonly ComparedCombination[];
}

/** @param reports - per combination, one per seed */
export function compareReports(
  varies: readonly Vary[],
  combinations: readonly Combination[],
  reports: readonly (readonly RunReport[])[],
): Comparison {
  const base = reports[0] as readonly RunReport[];
  const names = {
    groups: commonParts(groupParts, reports.flat()),
    vms: commonParts(vmParts, reports.flat()),
  };
  const lockNames = [...new Set(reports.flat().flatMap(({ locks }) => locks.map(({ name }) => name)))].sort();
  return {
    format: 'epckit-compare-1',
    name: (base[0] as RunReport).scenario.name,
    vary: varies.map(({ name, values }) => ({ path: name, values })),
    repeat: base.length,
    combinations: combinations.map(({ assignments }, index): ComparedCombination => {
      const own = reports[index] as readonly RunReport[];
      return {
        values: Object.fromEntries(assignments.map(({ name, value }) => [name, value])),
        statistics: Object.fromEntries(
          statistics.map(({ key, of }) => [key, spreadOf(own.map(of), spreadOf(base.map(of), null).median)]),
        ),
        cyclesByCause: spreadParts(costNames, own, base, causesOf),
        lockWaitCycles: spreadParts(lockNames, own, base, lockWaitsOf),
        ...partsOf(names, own, base),
        runs: own.map((report) => ({ seed: report.seed, report })),
      };
    }),
  };
}

function partsOf(
  names: Readonly<Record<'groups' | 'vms', readonly string[]>>,
  own: readonly RunReport[],
  base: readonly RunReport[],
): Pick<ComparedCombination, 'groups' | 'vms'> {
  const groups = partSpreads(groupParts, names.groups, own, base);
  const vms = partSpreads(vmParts, names.vms, own, base);
  return { ...(names.groups.length > 0 ? { groups } : {}), ...(names.vms.length > 0 ? { vms } : {}) };
}

/** The spread of each part of a sum; parts that are always 0 are left out. */
function spreadParts(
  names: readonly string[],
  own: readonly RunReport[],
  base: readonly RunReport[],
  sumsOf: (report: RunReport) => Readonly<Record<string, number>>,
): Record<string, Spread> {
  const ownParts = own.map(sumsOf);
  const baseParts = base.map(sumsOf);
  const valuesOf = (parts: readonly Readonly<Record<string, number>>[], name: string) =>
    parts.map((one) => one[name] ?? 0);
  const spreads = names.map((name): [string, Spread] => [
    name,
    spreadOf(valuesOf(ownParts, name), spreadOf(valuesOf(baseParts, name), null).median),
  ]);
  return Object.fromEntries(spreads.filter(([, { max }]) => max > 0));
}

function lockWaitsOf({ locks }: RunReport): Record<string, number> {
  return Object.fromEntries(locks.map(({ name, waitCycles }) => [name, waitCycles]));
}
