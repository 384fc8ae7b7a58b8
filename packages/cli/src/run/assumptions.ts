import type { RunReport } from 'epckit';
import { formatCount } from './number-format.js';

/**
 * Says in one or a few lines how much of what a run charged rests on costs that nobody has confirmed.
 *
 * @param reports - several for runs that are compared: entries that any of them charged count
 */
export function assumptionsOf(reports: readonly RunReport[]): string {
  const charged = new Map<string, { isAssumption: boolean; cycles: number }>();
  for (const report of reports) {
    const cycles = chargedCycles(report);
    for (const { name, isAssumption } of report.costs) {
      const spent = cycles.get(name) ?? 0;
      if (spent === 0) continue;
      const known = charged.get(name);
      charged.set(name, {
        isAssumption: isAssumption || known?.isAssumption === true,
        cycles: spent + (known?.cycles ?? 0),
      });
    }
  }
  const assumed = [...charged].filter(([, { isAssumption }]) => isAssumption);
  if (assumed.length === 0) return 'Costs: no entry that was charged is an assumption.';
  const names = assumed.sort(([a, one], [b, other]) => other.cycles - one.cycles || (a < b ? -1 : 1));
  const is = assumed.length === 1 ? 'is an assumption' : 'are assumptions';
  const title = `Costs: ${formatCount(assumed.length)} of the ${formatCount(charged.size)} entries that were charged ${is}:`;
  return wrap([title, ...names.map(([name], at) => (at === names.length - 1 ? `${name}.` : `${name},`))]);
}

/** Cycles of all threads by cost entry. */
function chargedCycles({ enclaves, ksgxd, vms = [] }: RunReport): ReadonlyMap<string, number> {
  const sums = new Map<string, number>();
  for (const { cyclesByCause } of [...enclaves, ...vms, ksgxd]) {
    for (const [name, cycles] of Object.entries(cyclesByCause))
      sums.set(name, (sums.get(name) ?? 0) + cycles);
  }
  return sums;
}

const WIDTH = 118;

/** Lays words out in lines, those behind the first indented. */
function wrap(words: readonly string[]): string {
  const lines = [''];
  for (const word of words) {
    const line = lines.at(-1) as string;
    if (line === '' || line.length + 1 + word.length <= WIDTH)
      lines[lines.length - 1] = line === '' ? word : `${line} ${word}`;
    else lines.push(`  ${word}`);
  }
  return lines.join('\n');
}
