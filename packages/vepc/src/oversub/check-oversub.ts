import type { EpcmEntry, FrameTable, PageIndex } from '@epckit/interface';
import { FrameFlag, NONE, OwnerKind, PageType } from '@epckit/interface';
import type { VepcViolation } from '../check-vepc.js';
import { GuestClass, GuestState } from './guest-records.js';
import type { OversubInstance } from './instance.js';
import { hostPageOf } from './instances.js';
import type { Oversub } from './oversub.js';
import { versionPageRecord } from './version-pages.js';

/** What the checker reads of the processor; a `HardwareModel` has it. */
export interface OversubHardware {
  /** Reads an EPCM entry. */
  entry(page: PageIndex): EpcmEntry;
  /** Is the EPCM entry valid? */
  isValid(page: PageIndex): boolean;
  /** VIRTCHILDCNT of a SECS. */
  virtualChildren(secs: PageIndex): number;
}

interface Audit {
  readonly oversub: Oversub;
  readonly frames: FrameTable;
  readonly hardware: OversubHardware;
  /** Evicted children by host page of their SECS. */
  readonly evicted: Map<number, number>;
  report(rule: string, message: string): void;
}

/**
 * Checks the laws of host reclaim at rest: no thread is inside the driver or in a batch. Reads everything and
 * allocates; for tests and for the ends of steps. Dead instances are left out: nothing is promised about them.
 *
 * - OS-1: VIRTCHILDCNT of a resident SECS is the number of its evicted children, and so is what its record counts
 * - OS-2: the SECS of an evicted child is resident or evicted; that of a resident child is resident
 * - OS-3: evicted records and occupied slots are one to one, and there is a slot for every page of the file
 * - OS-4: the host excused at most as many repetitions of guests' leaves as it has set marks
 * - OS-5: record, page array, frame table and page table agree on where a page is
 * - OS-6: the host's version array pages are in the EPC, of type VA, and on no list but that of a group for such pages
 * - OS-7: no SECS is pinned and no page is in a reclaimer's hands but those that it will write later
 *
 * @returns violations, empty if all laws hold
 */
export function checkOversub(
  oversub: Oversub,
  frames: FrameTable,
  hardware: OversubHardware,
): VepcViolation[] {
  const violations: VepcViolation[] = [];
  const report = (rule: string, message: string) => void violations.push({ rule, message });
  const audit: Audit = { oversub, frames, hardware, evicted: new Map(), report };
  const living = oversub.instances.all().filter(({ isDead }) => !isDead);
  for (const instance of oversub.instances.all()) countEvicted(audit, instance);
  for (const instance of living) checkInstance(audit, instance);
  const made = oversub.instances.all().reduce((sum, { marks }) => sum + marks.made, 0);
  if (oversub.conflicts.reentered > oversub.instances.marksOfGone + made)
    report('OS-4', `${oversub.conflicts.reentered} repetitions, but the host has set ${made} marks.`);
  return violations;
}

function countEvicted({ evicted }: Audit, { records }: OversubInstance): void {
  for (let index = records.next(0); index !== NONE; index = records.next(index + 1)) {
    if (!isEvictedChild(records, index)) continue;
    const secs = records.secsPage(index);
    evicted.set(secs, (evicted.get(secs) ?? 0) + 1);
  }
}

function isEvictedChild(records: OversubInstance['records'], index: number): boolean {
  return records.state(index) === GuestState.EVICTED && records.classOf(index) === GuestClass.CHILD;
}

function checkInstance(audit: Audit, instance: OversubInstance): void {
  const slots = new Set<number>();
  for (let index = 0; index < instance.vepc.pageCount; index++) {
    checkRecord(audit, instance, index);
    checkPlace(audit, instance, index);
    const { records } = instance;
    if (records.state(index) === GuestState.EVICTED) {
      if (slots.has(records.slot(index))) report(audit, 'OS-3', instance, index, 'shares its slot');
      slots.add(records.slot(index));
      checkSecsOfEvicted(audit, instance, index);
    } else if (records.slot(index) !== NONE) report(audit, 'OS-3', instance, index, 'has a slot');
  }
  checkSlots(audit, instance, slots);
  checkVersionPages(audit, instance);
}

function report(audit: Audit, rule: string, { id }: OversubInstance, index: number, what: string): void {
  audit.report(rule, `Page ${index} of instance ${id} ${what}.`);
}

/** OS-1, OS-7, and OS-2 for resident children. */
function checkRecord(audit: Audit, instance: OversubInstance, index: number): void {
  const { hardware, frames, evicted } = audit;
  const { records, vepc } = instance;
  const page = vepc.pages.get(index);
  const count = evicted.get(hostPageOf({ instance, page: index })) ?? 0;
  if (records.evictedChildren(index) !== count)
    report(
      audit,
      'OS-1',
      instance,
      index,
      `counts ${records.evictedChildren(index)} evicted children, not ${count}`,
    );
  if (records.pins(index) !== 0) report(audit, 'OS-7', instance, index, `has ${records.pins(index)} pins`);
  if (page === NONE || !hardware.isValid(page)) {
    if (page !== NONE && count > 0)
      report(audit, 'OS-2', instance, index, 'was the SECS of evicted children');
    return;
  }
  const { type, secs } = hardware.entry(page);
  if (type === PageType.SECS && hardware.virtualChildren(page) !== count)
    report(
      audit,
      'OS-1',
      instance,
      index,
      `has VIRTCHILDCNT ${hardware.virtualChildren(page)}, not ${count}`,
    );
  if (type !== PageType.SECS && count > 0)
    report(audit, 'OS-2', instance, index, 'is no SECS of evicted children');
  if (type === PageType.SECS || type === PageType.VA) return;
  if (secs === NONE || !hardware.isValid(secs) || frames.kind(secs) !== OwnerKind.GUEST)
    report(audit, 'OS-2', instance, index, 'is in the EPC without its SECS');
}

/** OS-2 for evicted children: their SECS can be had. */
function checkSecsOfEvicted(audit: Audit, instance: OversubInstance, index: number): void {
  const { records } = instance;
  if (records.classOf(index) !== GuestClass.CHILD) return;
  const place = audit.oversub.instances.placeOf(records.secsPage(index));
  // Its instance is gone or dead: the next touch of the child finds out.
  if (place === null || place.instance.isDead) return;
  const state = place.instance.records.state(place.page);
  const isSecs = place.instance.records.classOf(place.page) === GuestClass.SECS;
  if (state === GuestState.EMPTY || (state === GuestState.EVICTED && !isSecs))
    report(audit, 'OS-2', instance, index, 'is evicted, and its SECS is gone');
}

/** OS-5: where the tables say that the page is. */
function checkPlace(audit: Audit, instance: OversubInstance, index: number): void {
  const { frames } = audit;
  const { records, vepc, vm } = instance;
  const state = records.state(index);
  const page = vepc.pages.get(index);
  const hasPage = state !== GuestState.EMPTY && state !== GuestState.EVICTED;
  if (hasPage !== (page !== NONE))
    report(audit, 'OS-5', instance, index, `has state ${state} and EPC page ${page}`);
  const isMapped = (vm.mm.table(vepc.id)?.pte[index] ?? 0) !== 0;
  if (isMapped && state !== GuestState.PRESENT)
    report(audit, 'OS-5', instance, index, `is mapped in state ${state}`);
  if (page === NONE) return;
  if (
    frames.kind(page) !== OwnerKind.GUEST ||
    frames.owner(page) !== vepc.id ||
    frames.record(page) !== index
  )
    report(audit, 'OS-5', instance, index, `has EPC page ${page}, whose owner is another one`);
  const isTracked = (frames.flags(page) & FrameFlag.TRACKED) !== 0;
  if (isTracked && !records.isListed(index))
    report(audit, 'OS-5', instance, index, 'is reclaimable unknown to us');
  if (isTracked && frames.listOf(page) === 0) report(audit, 'OS-7', instance, index, 'is in a batch');
  if (state === GuestState.ZAPPED && !isTracked) report(audit, 'OS-7', instance, index, 'waits for nobody');
}

/** OS-3: slots in use and capacity. */
function checkSlots(audit: Audit, instance: OversubInstance, slots: ReadonlySet<number>): void {
  if (!instance.isMapped) return;
  let used = 0;
  let capacity = 0;
  for (const page of instance.paging.slots.pages()) {
    used += page.used;
    capacity += 512;
  }
  if (used !== slots.size)
    audit.report('OS-3', `Instance ${instance.id} has ${slots.size} evicted pages and ${used} slots in use.`);
  if (capacity < instance.vepc.pageCount)
    audit.report(
      'OS-3',
      `Instance ${instance.id} has ${capacity} slots for ${instance.vepc.pageCount} pages.`,
    );
}

/** OS-6. */
function checkVersionPages({ frames, hardware, report: say }: Audit, instance: OversubInstance): void {
  for (const [number, page] of instance.versionArrays.entries()) {
    const isOurs = frames.kind(page) === OwnerKind.GUEST && frames.owner(page) === instance.id;
    const isArray = hardware.isValid(page) && hardware.entry(page).type === PageType.VA;
    const isListed = frames.listOf(page) !== 0 && frames.group(page) === NONE;
    if (!isOurs || !isArray || frames.record(page) !== versionPageRecord(number) || isListed)
      say('OS-6', `EPC page ${page} is not version array page ${number} of instance ${instance.id}.`);
  }
}
