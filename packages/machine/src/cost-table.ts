import type { CostKey, CostName, CostTable } from '@epckit/interface';
import { COST_COUNT, Cost, costNames, MisuseError } from '@epckit/interface';
import type { CostEntries, CostEntry, CostGrade } from './cost-entries.js';
import { clientCosts, costSources, serverCosts } from './cost-entries.js';

/** Named cost tables. */
export const costPresets: Readonly<Record<string, CostEntries>> = {
  client: clientCosts,
  server: serverCosts,
};

/**
 * How far one value of a cost table can be trusted: the weakest of its grades decides.
 *
 * - `published` stated by public text (A)
 * - `computed` from raw data that others published (B)
 * - `unconfirmed` figure of a paper that was not re-read (C)
 * - `measured` on a machine without SGX (D)
 * - `assumption` estimated (E)
 * - `model` a unit of the model, or what the run gives
 * - `user` given by the user
 */
export type CostStatus =
  | 'published'
  | 'computed'
  | 'unconfirmed'
  | 'measured'
  | 'assumption'
  | 'model'
  | 'user';

/** One line of a table that says where costs come from. */
export interface CostDescription {
  /** Key of the entry. */
  readonly key: CostKey;
  /** Its name. */
  readonly name: CostName;
  /** Cycles that the table has. */
  readonly cycles: number;
  /** Smallest plausible value, of the preset. */
  readonly min: number;
  /** Largest plausible value, of the preset. */
  readonly max: number;
  /** Grade of the preset's value. */
  readonly grade: CostGrade;
  /** How far {@link cycles} can be trusted. */
  readonly status: CostStatus;
  /** Where {@link cycles} come from. */
  readonly source: string;
}

/**
 * Makes a cost table from the typical values of `entries`, with single entries replaced.
 *
 * @param overrides cycles by entry name
 * @throws MisuseError for an unknown name or a value that is not a non-negative integer
 */
export function createCostTable(
  entries: CostEntries = clientCosts,
  overrides: Readonly<Record<string, number>> = {},
): CostTable {
  const table = new Float64Array(COST_COUNT);
  for (const [name, key] of Object.entries(Cost)) table[key] = entries[name as CostName].typical;
  for (const [name, cycles] of Object.entries(overrides)) {
    if (!Object.hasOwn(Cost, name)) {
      throw new MisuseError(`There is no cost entry '${name}'.`, [`known: ${Object.keys(Cost).join(', ')}`]);
    }
    if (!Number.isInteger(cycles) || cycles < 0) {
      throw new MisuseError(`Cost '${name}' must be a whole number of cycles, not ${cycles}.`);
    }
    table[Cost[name as CostName]] = cycles;
  }
  return table;
}

/**
 * Describes the table that {@link createCostTable} makes of the same arguments: source and status of each entry, in
 * order of the keys. A value that the user gives has the status `user`, also where it is that of the preset.
 *
 * @throws MisuseError as {@link createCostTable}
 */
export function describeCosts(
  entries: CostEntries = clientCosts,
  overrides: Readonly<Record<string, number>> = {},
): readonly CostDescription[] {
  const table = createCostTable(entries, overrides);
  return costNames.map((name) => {
    const { min, max, grade } = entries[name];
    const isUser = Object.hasOwn(overrides, name);
    const status = isUser ? 'user' : statusOf(grade);
    const source = isUser ? 'given by the user' : costSources[name];
    return { key: Cost[name], name, cycles: table[Cost[name]] as number, min, max, grade, status, source };
  });
}

/**
 * Entries with the four transitions (EENTER, EEXIT, AEX, ERESUME) multiplied, rounded to whole cycles: 1.75 for the
 * microcode of the Spectre era, 2.25 for that of L1TF (ratios of sgx-perf, Middleware'18).
 */
export function scaleTransitions(entries: CostEntries, factor: number): CostEntries {
  if (!(factor > 0 && Number.isFinite(factor))) {
    throw new MisuseError(`The factor of transition costs must be a positive number, not ${factor}.`);
  }
  const scaled = ({ min, typical, max, grade }: CostEntry): CostEntry => ({
    min: Math.round(min * factor),
    typical: Math.round(typical * factor),
    max: Math.round(max * factor),
    grade,
  });
  const { EENTER, EEXIT, AEX, ERESUME } = entries;
  return {
    ...entries,
    EENTER: scaled(EENTER),
    EEXIT: scaled(EEXIT),
    AEX: scaled(AEX),
    ERESUME: scaled(ERESUME),
  };
}

/** From the weakest to the strongest grade. */
const weakestFirst: readonly (readonly [string, CostStatus])[] = [
  ['E', 'assumption'],
  ['C', 'unconfirmed'],
  ['D', 'measured'],
  ['B', 'computed'],
  ['A', 'published'],
];

function statusOf(grade: CostGrade): CostStatus {
  return weakestFirst.find(([letter]) => grade.includes(letter))?.[1] ?? 'model';
}
