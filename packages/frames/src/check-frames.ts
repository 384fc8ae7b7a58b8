import type { FrameTable, ListId, PageIndex } from '@epckit/interface';

/** Something that cannot be in a sound frame table. */
export interface FrameViolation {
  /** List that was walked, `0` if none. */
  readonly list: ListId;
  /** Page at fault, `-1` if it is the list as a whole. */
  readonly page: PageIndex;
  /** What is wrong, in one sentence. */
  readonly problem: string;
}

/**
 * Checks that every page is on exactly one list or on none, that links agree in both directions and that
 * lengths are right. Takes time and memory for each page: for tests and for the ends of steps.
 *
 * @returns violations, empty for a sound table
 */
export function checkFrames(frames: FrameTable): readonly FrameViolation[] {
  const violations: FrameViolation[] = [];
  const seenOn = new Uint16Array(frames.pageCount);
  for (let list = 1; list <= frames.listCount; list++) walk(frames, list, seenOn, violations);
  for (let page = 0; page < frames.pageCount; page++) {
    const list = frames.listOf(page);
    if (list !== 0 && seenOn[page] === 0) {
      violations.push({ list, page, problem: 'The page claims a list that does not lead to it.' });
    }
  }
  return violations;
}

/** Walks one list from its head; stops at the first broken link, because what follows means nothing. */
function walk(frames: FrameTable, list: ListId, seenOn: Uint16Array, violations: FrameViolation[]): void {
  let previous = -1;
  let count = 0;
  for (let page = frames.first(list); page !== -1; page = frames.next(page)) {
    const problem = problemOf(frames, list, page, previous, seenOn);
    if (problem !== undefined) {
      violations.push({ list, page, problem });
      return;
    }
    seenOn[page] = list;
    previous = page;
    count++;
  }
  if (frames.last(list) !== previous) {
    violations.push({
      list,
      page: previous,
      problem: `The tail is ${frames.last(list)}, the walk ends elsewhere.`,
    });
  }
  if (frames.length(list) !== count) {
    violations.push({
      list,
      page: -1,
      problem: `The length is ${frames.length(list)}, the walk finds ${count}.`,
    });
  }
}

function problemOf(
  frames: FrameTable,
  list: ListId,
  page: PageIndex,
  previous: PageIndex,
  seenOn: Uint16Array,
): string | undefined {
  if (!(page >= 0 && page < frames.pageCount)) return 'The list leads out of the table.';
  const seen = seenOn[page] as number;
  if (seen !== 0) return `The page was reached before, on list ${seen}.`;
  if (frames.listOf(page) !== list) return `The page claims list ${frames.listOf(page)}.`;
  if (frames.previous(page) !== previous) return `The page's predecessor should be ${previous}.`;
  return undefined;
}
