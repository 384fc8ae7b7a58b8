import { EpckitError } from '@epckit/interface';
import type { Scenario } from 'epckit';
import { valueAt } from '../scenario/key-path.js';
import type { LoadedScenario } from '../scenario/load-scenario.js';
import type { TraceSize } from './load-traces.js';

/** Version slots in one version array page. */
const SLOTS_PER_VA_PAGE = 512;

/** Pages that must be in the EPC at once while a program runs: SECS, thread control structure, and one more. */
const RUNNING_PAGES = 3;

/**
 * Refuses an EPC in which the enclaves can never run.
 *
 * Version array pages stay in the EPC for the life of an enclave, one per 512 of its pages. Beside all of them,
 * what one program needs at once must fit, and the free pages that the daemon works for: otherwise it never
 * rests, and takes every page before it is used. None of this matters if everything fits and the daemon is
 * never woken.
 *
 * @throws EpckitError `EPCKIT_SCENARIO`
 */
export function checkEpcFits(loaded: LoadedScenario, traces: ReadonlyMap<string, TraceSize>): void {
  const { scenario, source } = loaded;
  const { lowPages, highPages } = scenario.reclaim;
  const available = epcPages(scenario);
  // Pages of the program and its TCSs. The SECS has a version slot too, but is not counted when arrays grow.
  const sizes = scenario.enclaves.map(
    ({ trace, moreCpus }) => (traces.get(trace)?.pageNumber.length ?? 0) + 1 + (moreCpus?.length ?? 0),
  );
  const vaPages = sumOf(sizes.map((pages) => Math.ceil(pages / SLOTS_PER_VA_PAGE)));
  const everything = vaPages + sumOf(sizes) + sizes.length;
  const needed = Math.min(vaPages + RUNNING_PAGES + highPages, everything + lowPages);
  if (available >= needed) return;
  const keys = ['epc', 'epcPerNode', 'sections'] as const;
  const key = keys.find((name) => valueAt(source.value, ['machine', name]) !== undefined) ?? 'epc';
  const place = source.locate(['machine', key]);
  const size = `${available} page${available === 1 ? '' : 's'}`;
  const message = `${place}: An EPC of ${size} is too small to ever run this scenario.`;
  const details = [
    `${vaPages} for version arrays, which are never evicted`,
    `${RUNNING_PAGES} for a SECS, a TCS and a page of its program at the same time`,
    `${highPages} that the daemon keeps free (reclaim.high)`,
  ];
  throw new EpckitError('EPCKIT_SCENARIO', message, details, {
    hint: `Give at least ${needed} pages, or lower reclaim.high.`,
  });
}

/** Pages of all EPC sections. */
function epcPages(scenario: Scenario): number {
  return sumOf(scenario.machine.sections.map(({ pageCount }) => pageCount));
}

function sumOf(counts: readonly number[]): number {
  return counts.reduce((sum, count) => sum + count, 0);
}
