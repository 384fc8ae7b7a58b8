import type { FrameTable, PageIndex } from '@epckit/interface';
import { FrameFlag, NONE, OwnerKind, PAGE_SIZE_BYTES } from '@epckit/interface';
import type { CgroupViolation } from '../check-cgroups.js';
import type { EpcCgroups } from './engine.js';
import type { EpcGroup } from './epc-group.js';

/** What is found per part while the lists are walked. */
interface Walked {
  readonly violations: CgroupViolation[];
  /** Part on whose list each page was found; by page. */
  readonly reclaimable: (EpcGroup | undefined)[];
  readonly unreclaimable: (EpcGroup | undefined)[];
}

/**
 * Compares charges, pages, lists and cursors. It may be asked after any step: charges that are on their way then
 * (`charge.unsettled`) are allowed for.
 *
 * @param isAtRest - no routine of the manager is in progress: what is exact only then is compared too
 */
export function checkEpcCgroups(engine: EpcCgroups, frames: FrameTable, isAtRest = false): CgroupViolation[] {
  const parts = engine.groups.all();
  const walked: Walked = { violations: [], reclaimable: [], unreclaimable: [] };
  for (const part of parts) walkLists(frames, part, walked);
  return [
    ...walked.violations,
    ...checkPages(frames, walked, isAtRest),
    ...checkUsage(engine, frames, parts),
    ...(isAtRest ? checkReferences(engine, frames, parts) : []),
    ...parts.flatMap((part) => [...checkCounters(engine, part), ...checkCursor(engine, part)]),
  ];
}

function walkLists(frames: FrameTable, part: EpcGroup, walked: Walked): void {
  const wrong = (page: PageIndex, list: string): void => {
    const message = `page ${page} is charged to group ${frames.group(page)}, and on the ${list} list of ${part.group.name}`;
    walked.violations.push({ rule: 'list of the charged group', message });
  };
  for (let page = part.policy.oldest(); page !== NONE; page = part.policy.after(page)) {
    if (frames.group(page) !== part.id) wrong(page, 'reclaimable');
    walked.reclaimable[page] = part;
  }
  for (let page = frames.first(part.unreclaimable); page !== NONE; page = frames.next(page)) {
    if (frames.group(page) !== part.id) wrong(page, 'unreclaimable');
    walked.unreclaimable[page] = part;
  }
}

/** A page is charged iff it is somebody's, and it is in exactly one place. */
function checkPages(frames: FrameTable, walked: Walked, isAtRest: boolean): CgroupViolation[] {
  const found: CgroupViolation[] = [];
  const allocated = 'charged iff allocated';
  const { IS_FREE, TRACKED } = FrameFlag;
  for (let page = 0; page < frames.pageCount; page++) {
    const isCharged = frames.group(page) >= 0;
    const flags = frames.peekFlags(page);
    const isFree = (flags & IS_FREE) !== 0;
    const isTracked = (flags & TRACKED) !== 0;
    if (isCharged && isFree) found.push({ rule: allocated, message: `page ${page} is free and charged` });
    if (isAtRest && !isFree && !isCharged && frames.kind(page) !== OwnerKind.NONE) {
      found.push({ rule: allocated, message: `page ${page} has an owner and no charge` });
    }
    if (!isTracked && walked.reclaimable[page] !== undefined) {
      found.push({ rule: 'one place', message: `page ${page} is listed and not tracked` });
    }
    if (isTracked && walked.unreclaimable[page] !== undefined) {
      found.push({ rule: 'one place', message: `page ${page} is tracked and on the unreclaimable list` });
    }
  }
  return found;
}

/** Pages that are charged to each group itself. */
function ownPages(frames: FrameTable): number[] {
  const pages: number[] = [];
  for (let page = 0; page < frames.pageCount; page++) {
    const group = frames.group(page);
    if (group >= 0) pages[group] = (pages[group] ?? 0) + 1;
  }
  return pages;
}

/** usage(G) is what the pages of the subtree say; on the way it may be more, by what is on the way. */
function checkUsage(engine: EpcCgroups, frames: FrameTable, parts: readonly EpcGroup[]): CgroupViolation[] {
  const found: CgroupViolation[] = [];
  const pages = ownPages(frames);
  const onTheWay = engine.charge.unsettled * PAGE_SIZE_BYTES;
  // Children first: each adds what it has to its parent.
  for (const part of [...parts].reverse()) {
    const count = pages[part.id] ?? 0;
    const above = engine.groups.above(part);
    if (above !== null) pages[above.id] = (pages[above.id] ?? 0) + count;
    const charged = count * PAGE_SIZE_BYTES;
    const usage = part.counters.usage.value;
    if (usage >= charged && usage <= charged + onTheWay) continue;
    const message = `${part.group.name}: usage ${usage}, pages ${charged}, on the way at most ${onTheWay}`;
    found.push({ rule: 'usage', message });
  }
  return found;
}

/** A group is referred to by its directory, by the groups below it, by each page of its own, and by its queued work. */
function checkReferences(
  engine: EpcCgroups,
  frames: FrameTable,
  parts: readonly EpcGroup[],
): CgroupViolation[] {
  const pages = ownPages(frames);
  return parts.flatMap((part) => {
    const { name, refs, isOnline, children } = part.group;
    const work = engine.workers.isBusy(part) ? 1 : 0;
    const expected = (isOnline ? 1 : 0) + children.length + (pages[part.id] ?? 0) + work;
    if (refs.value === expected) return [];
    return [{ rule: 'references', message: `${name}: ${refs.value} references, ${expected} expected` }];
  });
}

function checkCounters(engine: EpcCgroups, part: EpcGroup): CgroupViolation[] {
  const { usage, watermark, eventsLocal } = part.counters;
  const { name } = part.group;
  const found: CgroupViolation[] = [];
  if (usage.value < 0) found.push({ rule: 'negative', message: `${name}: usage ${usage.value}` });
  const isAtRest = engine.charge.unsettled === 0;
  if (isAtRest && watermark.value < usage.value) {
    found.push({ rule: 'peak', message: `${name}: peak ${watermark.value} below usage ${usage.value}` });
  }
  if (isAtRest && eventsLocal.value !== part.refusals) {
    const message = `${name}: ${eventsLocal.value} local events, ${part.refusals} charges failed here`;
    found.push({ rule: 'events', message });
  }
  const own = part.uses.reduce((sum, pages) => sum + pages, 0);
  if (part.uses.some((pages) => pages < 0)) {
    found.push({ rule: 'uses', message: `${name}: ${[...part.uses].join(', ')} of ${own} pages` });
  }
  return found;
}

/** A cursor stands in the subtree of its group, at a group that is not freed. */
function checkCursor(engine: EpcCgroups, part: EpcGroup): CgroupViolation[] {
  const at = engine.walk.cursorOf(part);
  if (at === null) return [];
  const fail = (what: string): CgroupViolation[] => [
    {
      rule: 'cursor',
      message: `the cursor of ${part.group.name} stands at ${at.group.name}, which is ${what}`,
    },
  ];
  if (!engine.groups.isLive(at)) return fail('freed');
  for (let above: EpcGroup | null = at; above !== null; above = engine.groups.above(above)) {
    if (above === part) return [];
  }
  return fail('not below it');
}
