import type { RunReport } from 'epckit';
import { formatCount } from '../run/number-format.js';
import { type Spread, spreadOf } from './statistics.js';

/** A number that a comparison shows of each part of a run, such as a cgroup or a virtual machine. */
export interface PartStatistic<T> {
  /** Name in JSON and, behind the part, in CSV. Described in docs/reference/statistics.md. */
  readonly key: string;
  /** Title in the table. */
  readonly title: string;
  /** The number. */
  readonly of: (part: T, report: RunReport) => number;
  /** How the table shows it. */
  readonly format: (value: number) => string;
}

/** Parts of one kind, and what a comparison shows of them. */
export interface PartKind<T> {
  /** Written before the name of a part in the table. */
  readonly title: string;
  /** The parts of a run, by name. */
  readonly partsOf: (report: RunReport) => ReadonlyMap<string, T>;
  /** The numbers, in order. */
  readonly statistics: readonly PartStatistic<T>[];
}

/** Statistics of each part over the seeds, by part and key. */
export type PartSpreads = Readonly<Record<string, Readonly<Record<string, Spread>>>>;

/** A statistic that counts something. */
export function counted<T>(key: string, title: string, of: PartStatistic<T>['of']): PartStatistic<T> {
  // The median of an even number of runs may lie between two counts.
  const format = (value: number) => (Number.isInteger(value) ? formatCount(value) : value.toFixed(1));
  return { key, title, of, format };
}

/** Names of the parts that all of these runs have, in order of the first one. */
export function commonParts<T>({ partsOf }: PartKind<T>, reports: readonly RunReport[]): string[] {
  const all = reports.map(partsOf);
  return [...(all[0]?.keys() ?? [])].filter((name) => all.every((parts) => parts.has(name)));
}

/** Every statistic of these parts, which all runs of a comparison have. */
export function partSpreads<T>(
  { partsOf, statistics }: PartKind<T>,
  names: readonly string[],
  own: readonly RunReport[],
  base: readonly RunReport[],
): PartSpreads {
  return Object.fromEntries(
    names.map((name) => [
      name,
      Object.fromEntries(
        statistics.map(({ key, of }) => {
          const valuesOf = (reports: readonly RunReport[]) =>
            reports.map((report) => of(partsOf(report).get(name) as T, report));
          return [key, spreadOf(valuesOf(own), spreadOf(valuesOf(base), null).median)];
        }),
      ),
    ]),
  );
}

/** Titles of the CSV's columns for these parts. */
export function partHeads<T>({ statistics }: PartKind<T>, names: readonly string[]): string[] {
  return names.flatMap((name) => statistics.map(({ key }) => `${name}: ${key}`));
}

/** Values of the columns of {@link partHeads} in one run, which has all of the parts. */
export function partCells<T>(
  { partsOf, statistics }: PartKind<T>,
  names: readonly string[],
  report: RunReport,
): number[] {
  const parts = partsOf(report);
  return names.flatMap((name) => statistics.map(({ of }) => of(parts.get(name) as T, report)));
}
