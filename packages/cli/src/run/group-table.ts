import type { GroupReport, RunReport } from 'epckit';
import { formatCount, formatRatio } from './number-format.js';
import { textTable } from './text-table.js';

const PAGE_BYTES = 4096;

/** A line of the table; left out where every group has nothing of the kind. */
interface Line {
  readonly title: string;
  readonly of: (group: GroupReport) => string;
}

const counted = (title: string, of: (group: GroupReport) => number): Line => ({
  title,
  of: (group) => {
    const count = of(group);
    return count === 0 ? '' : formatCount(count);
  },
});

const lines: readonly Line[] = [
  {
    title: 'limit in pages',
    of: ({ maxBytes }) => (maxBytes === null ? 'none' : formatCount(Math.floor(maxBytes / PAGE_BYTES))),
  },
  counted('most pages at once', ({ peakPages }) => peakPages),
  counted('  regular', ({ useAtPeak }) => useAtPeak.regular),
  counted('  SECS', ({ useAtPeak }) => useAtPeak.secs),
  counted('  version arrays', ({ useAtPeak }) => useAtPeak.va),
  counted('  of guests', ({ useAtPeak }) => useAtPeak.vepc),
  counted('charges that failed at its limit or below', ({ events }) => events),
  counted('allocations refused for a limit', ({ refusals }) => refusals.limit),
  counted('allocations refused for the machine', ({ refusals }) => refusals.machine),
  counted('allocations refused for backing memory', ({ refusals }) => refusals.backing),
  counted('its pages evicted', ({ reclaimedFrom }) => reclaimedFrom.evicted),
  counted('  looked at for that', ({ reclaimedFrom }) => reclaimedFrom.lookedAt),
  counted('evicted by its processes', ({ reclaimedBy }) => reclaimedBy.evicted),
  counted('  looked at for that', ({ reclaimedBy }) => reclaimedBy.lookedAt),
  counted('evicted by workers for it', ({ reclaimedByWorkers }) => reclaimedByWorkers.evicted),
  counted('  looked at for that', ({ reclaimedByWorkers }) => reclaimedByWorkers.lookedAt),
  counted('page faults', ({ faults }) => faults),
  counted('  of these to be retried', ({ faultRetries }) => faultRetries),
  { title: '  per 1000 accesses', of: ({ faults, accesses }) => formatRatio(faults * 1000, accesses, 3) },
  counted('loads (ELDU)', ({ eldu }) => eldu),
  counted('enclaves killed for it', ({ victims }) => victims.length),
  counted('enclaves that could not go on', ({ failed }) => failed.length),
];

/** Shows what happened to cgroups, a column each; the empty text if the scenario has none. */
export function groupTable({ cgroups }: RunReport): string {
  if (cgroups === undefined) return '';
  const { groups } = cgroups;
  const rows = lines
    .map(({ title, of }) => [title, ...groups.map(of)])
    .filter(([, ...cells]) => cells.some((cell) => cell !== ''));
  return textTable(['', ...groups.map(({ path }) => path)], rows, 1);
}

/** A line for each enclave that could not go on, and why. */
export function failureLines({ enclaves }: RunReport): string[] {
  return enclaves.flatMap(({ name, failure }) => {
    if (failure === undefined) return [];
    const { call, result, refusedFor, refusedBy } = failure;
    const by = refusedBy === null ? '' : ` of ${refusedBy}`;
    const why = { limit: `the limit${by}`, machine: 'the machine', backing: `backing memory${by}` };
    const refused = refusedFor === null ? '' : `; refused by ${why[refusedFor]}`;
    return [`${name} could not go on: ${call} fails (${result})${refused}`];
  });
}
