import { pagesOf, type Scenario, threadCpus, traceNames } from 'epckit';
import type { TraceSize } from './load-traces.js';

/** Version slots in one version array page. */
const SLOTS_PER_VA_PAGE = 512;

/** Pages that must be in the EPC at once while a program runs: SECS, thread control structure, and one more. */
export const RUNNING_PAGES = 3;

/** EPC that enclaves, or guests, need. Units: pages. */
export interface EpcNeed {
  /** Pages that are never evicted: version arrays, and all of a guest that the host takes nothing from. */
  readonly pinned: number;
  /** All pages that there will ever be. */
  readonly everything: number;
}

/** What the enclaves of the host need. */
export function enclaveNeeds(
  { enclaves }: Scenario,
  traces: ReadonlyMap<string, TraceSize>,
): readonly EpcNeed[] {
  return enclaves.map((enclave) => {
    const ofThreads = traceNames(enclave).flatMap((name) => traces.get(name) ?? []);
    return needOf(pagesOf(ofThreads).length + threadCpus(enclave).length);
  });
}

/** What each guest needs on the host. */
export function guestNeeds({
  vms = [],
  hostReclaim = null,
  hostVersionArrays,
}: Scenario): readonly EpcNeed[] {
  return vms.map(({ sections }) => {
    const pages = sumOf(sections.map(({ pageCount }) => pageCount));
    if (hostReclaim !== true) return { pinned: pages, everything: pages };
    if (hostVersionArrays === 'evictable') {
      const trees = sections.map(({ pageCount }) => versionTreeOf(pageCount));
      const all = sumOf(trees.map((levels) => sumOf(levels)));
      return { pinned: sumOf(trees.map(({ length }) => length)), everything: pages + all };
    }
    const pinned = sumOf(sections.map(({ pageCount }) => vaPagesOf(pageCount)));
    return { pinned, everything: pages + pinned };
  });
}

/** What an enclave needs of its EPC. The SECS has a version slot too, but is not counted when arrays grow. */
export function needOf(pages: number): EpcNeed {
  const pinned = vaPagesOf(pages);
  return { pinned, everything: pinned + pages + 1 };
}

/** Version array pages on each level of a tree of them; one of each level is always in the EPC. */
function versionTreeOf(pages: number): number[] {
  const levels = [vaPagesOf(pages)];
  for (let count = levels[0] as number; count > 1; ) {
    count = vaPagesOf(count);
    levels.push(count);
  }
  return levels;
}

function vaPagesOf(pages: number): number {
  return Math.ceil(pages / SLOTS_PER_VA_PAGE);
}

/** Sum of numbers. */
export function sumOf(counts: readonly number[]): number {
  return counts.reduce((sum, count) => sum + count, 0);
}
