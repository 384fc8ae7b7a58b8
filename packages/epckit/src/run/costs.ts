import type { CostName, CostTable } from '@epckit/interface';
import { MisuseError } from '@epckit/interface';
import type { CostDescription, CostEntries, CostEntry } from '@epckit/machine';
import { costPresets, createCostTable, describeCosts, scaleTransitions } from '@epckit/machine';

/** Names of cost tables. */
export type CostPresetName = 'client' | 'server';

/** Which value of each entry is taken. */
export type CostLevel = 'minimum' | 'typical' | 'maximum';

/** How interrupts reach their targets: directly, or in a guest through the hypervisor. */
export type IpiDelivery = 'bare-metal' | 'trapped';

/** An entry of a table of one's own: what it says instead of the table that it is based on. */
export interface OwnCost {
  /** Smallest plausible cycles. */
  readonly min: number;
  /** Cycles that are typical. */
  readonly typical: number;
  /** Largest plausible cycles. */
  readonly max: number;
  /** Grade of the source, A to E; null: unknown. */
  readonly grade: CostDescription['grade'] | null;
  /** Where the numbers come from; null: unknown. */
  readonly source: string | null;
}

/** What operations cost in a scenario. */
export interface ScenarioCosts {
  /** Table that everything else builds on. */
  readonly table: CostPresetName;
  /** Value of each entry that is taken. Default: `typical`. */
  readonly level?: CostLevel;
  /** Factor of EENTER, EEXIT, AEX and ERESUME, for later microcode; not of {@link overrides}. Default: 1. */
  readonly microcode?: number;
  /** How interrupts reach their targets: decides what a target of a round costs. Default: `bare-metal`. */
  readonly ipi?: IpiDelivery;
  /** File that the entries of one's own come from, as the user named it; null (default): there is none. */
  readonly file?: string | null;
  /** Entries of one's own, by name; they replace those of the table. Default: none. */
  readonly own?: Readonly<Record<string, OwnCost>>;
  /** Cycles by entry name, before everything else. */
  readonly overrides: Readonly<Record<string, number>>;
  /** Core clock, to give times in seconds. */
  readonly clockGhz: number;
}

/** What a report says of one entry of the cost table. */
export interface CostReport {
  /** Its name. */
  readonly name: CostName;
  /** Cycles that the run took for it. */
  readonly cycles: number;
  /** Smallest plausible cycles. */
  readonly min: number;
  /** Largest plausible cycles. */
  readonly max: number;
  /** Grade of the numbers, A to E; `-` for a unit of the model, null if the user gave none. */
  readonly grade: CostDescription['grade'] | null;
  /** Where the numbers come from. */
  readonly source: string;
  /**
   * Is it an assumption? Everything is but what public text states (A), what was computed of published data (B), and
   * units of the model.
   */
  readonly isAssumption: boolean;
}

/** Cycles of every operation of a scenario. @throws MisuseError for an unknown entry or a value that is no cost */
export function costTableOf(costs: ScenarioCosts): CostTable {
  return createCostTable(entriesOf(costs), costs.overrides);
}

/** Where the cycles of `costTableOf` come from, in order of the keys; quantities that a run gives are left out. */
export function costReports(costs: ScenarioCosts): readonly CostReport[] {
  const entries = describeCosts(entriesOf(costs), costs.overrides);
  return entries.filter(({ source }) => source !== RUN_GIVES).map((entry) => costReport(costs, entry));
}

/** Source of entries that are no costs but times that a run gives. */
const RUN_GIVES = 'what the run gives';

function costReport(costs: ScenarioCosts, entry: CostDescription): CostReport {
  const { name, cycles, min, max } = entry;
  const own = costs.own?.[name];
  if (entry.status === 'user') {
    return { name, cycles, min: cycles, max: cycles, grade: null, source: entry.source, isAssumption: true };
  }
  if (own !== undefined) {
    const source = `${costs.file ?? 'given by the user'}: ${own.source ?? 'no source given'}`;
    return { name, cycles, min, max, grade: own.grade, source, isAssumption: !isConfirmed(own.grade) };
  }
  const { grade, source } = entry;
  return { name, cycles, min, max, grade, source, isAssumption: !isConfirmed(grade) };
}

/** Every grade has to be A or B: the weakest decides. */
function isConfirmed(grade: CostDescription['grade'] | null): boolean {
  return grade !== null && /^[AB-](,[AB])*$/.test(grade);
}

function entriesOf({ table, level, microcode, own }: ScenarioCosts): CostEntries {
  const entries: Record<string, CostEntry> = { ...costPresets[table] };
  for (const [name, { min, typical, max, grade }] of Object.entries(own ?? {})) {
    if (!Object.hasOwn(entries, name)) throw new MisuseError(`There is no cost entry '${name}'.`);
    entries[name] = { min, typical, max, grade: grade ?? '-' };
  }
  const scaled = scaleTransitions(entries as CostEntries, microcode ?? 1);
  return atLevel(scaled, level ?? 'typical');
}

const fields = { minimum: 'min', typical: 'typical', maximum: 'max' } as const;

function atLevel(entries: CostEntries, level: CostLevel): CostEntries {
  const chosen = Object.entries(entries).map(([name, entry]) => [
    name,
    { ...entry, typical: entry[fields[level]] },
  ]);
  return Object.fromEntries(chosen) as CostEntries;
}
