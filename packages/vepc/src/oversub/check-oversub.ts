import type { EpcmEntry, FrameTable, PageIndex } from '@epckit/interface';
import { FrameFlag, NONE, OwnerKind, PageType } from '@epckit/interface';
import type { VepcViolation } from '../check-vepc.js';
import { checkSlots, checkVersionPages, checkVersionTree } from './check-versions.js';
import { GuestClass, GuestState } from './guest-records.js';
import type { OversubInstance } from './instance.js';
import { hostPageOf } from './instances.js';
import type { Oversub } from './oversub.js';
import { SLOTS_PER_PAGE } from './version-shape.js';

/** What the checker reads of the processor; a `HardwareModel` has it. */
export interface OversubHardware {
  /** Reads an EPCM entry. */
  entry(page: PageIndex): EpcmEntry;
  /** Is the EPCM entry valid? */
  isValid(page: PageIndex): boolean;
  /** VIRTCHILDCNT of a SECS. */
  virtualChildren(secs: PageIndex): number;
  /** Version in a slot of a version array page in the EPC, 0 if empty. */
  versionIn(vaPage: PageIndex, slot: number): number;
}

/** Children of one SECS that are out of the EPC. */
interface Absent {
  /** Those whose record says that they are evicted. */
  evicted: number;
  /** Those that the processor does not have. */
  out: number;
}

/** What a check works with. */
export interface Audit {
  /** Who is checked. */
  readonly oversub: Oversub;
  /** Software's view of the EPC. */
  readonly frames: FrameTable;
  /** The processor's. */
  readonly hardware: OversubHardware;
  /** Is no thread inside the driver or in a batch? */
  readonly isAtRest: boolean;
  /** Absent children by host page of their SECS. */
  readonly absent: Map<number, Absent>;
  /** Notes a violation. */
  report(rule: string, message: string): void;
}

const NONE_ABSENT: Absent = { evicted: 0, out: 0 };

/**
 * Checks the laws of host reclaim, at rest or after any step of any thread. Reads everything and allocates; for tests.
 * Dead instances are left out: nothing is promised about them.
 *
 * - OS-1: VIRTCHILDCNT of a resident SECS is the number of its evicted children and of those it owes, and so is what its
 *   record counts; between steps it may be larger by one for each pin, while the child is written, loaded or dropped
 * - OS-2: the SECS of an evicted child is resident or evicted; that of a resident child is resident, and so is a pinned one
 * - OS-3: evicted records and occupied slots are one to one, each with a version, and there is a slot for every page of the
 *   file; between steps each instance may have a slot for the page that it writes
 * - OS-4: each conflict exit was excused or delivered, unless it is being handled, and the host excused at most as many
 *   repetitions of guests' leaves as it has set marks, besides those about a SECS that was pinned
 * - OS-5: record, page array, frame table and page table agree on where a page is; between steps a page that is about to
 *   be unmapped may still be mapped
 *
 * At rest also:
 *
 * - OS-6: the host's version array pages are in the EPC, of type VA, and on no list but that of a group for such pages;
 *   one that can be evicted and is has its version in a page that is in the EPC or evicted itself
 * - OS-7: no SECS is pinned and no page is in a reclaimer's hands but those that it will write later
 *
 * @param isAtRest no thread is inside the driver or in a batch; default: true
 * @returns violations, empty if all laws hold
 */
export function checkOversub(
  oversub: Oversub,
  frames: FrameTable,
  hardware: OversubHardware,
  isAtRest = true,
): VepcViolation[] {
  const violations: VepcViolation[] = [];
  const report = (rule: string, message: string) => void violations.push({ rule, message });
  const audit: Audit = { oversub, frames, hardware, isAtRest, absent: new Map(), report };
  const instances = oversub.instances.all();
  for (const instance of instances) countAbsent(audit, instance);
  for (const instance of instances) if (!instance.isDead) checkInstance(audit, instance);
  checkExits(audit);
  return violations;
}

function countAbsent({ absent, hardware }: Audit, { records, vepc }: OversubInstance): void {
  for (let index = records.next(0); index !== NONE; index = records.next(index + 1)) {
    const state = records.state(index);
    const isEvicted = state === GuestState.EVICTED;
    if (!isEvicted && state !== GuestState.ZAPPED) continue;
    if (records.classOf(index) !== GuestClass.CHILD) continue;
    const secs = records.secsPage(index);
    const counts = absent.get(secs) ?? { evicted: 0, out: 0 };
    absent.set(secs, counts);
    const isOut = isEvicted ? records.slot(index) !== NONE : !hardware.isValid(vepc.pages.get(index));
    if (isEvicted) counts.evicted++;
    if (isOut) counts.out++;
  }
}

function checkInstance(audit: Audit, instance: OversubInstance): void {
  const slots = new Set<number>();
  for (let index = 0; index < instance.vepc.pageCount; index++) {
    checkRecord(audit, instance, index);
    checkPlace(audit, instance, index);
    checkSlot(audit, instance, index, slots);
  }
  if (instance.versionStore === null) checkSlots(audit, instance, slots);
  else checkVersionTree(audit, instance, instance.versionStore.tree, slots);
  if (audit.isAtRest) checkVersionPages(audit, instance);
}

function report(audit: Audit, rule: string, { id }: OversubInstance, index: number, what: string): void {
  audit.report(rule, `Page ${index} of instance ${id} ${what}.`);
}

/** OS-4. */
function checkExits({ oversub, isAtRest, report }: Audit): void {
  const { handled, reentered, pinned, delivered } = oversub.conflicts;
  const made = oversub.instances.all().reduce((sum, { marks }) => sum + marks.made, 0);
  const marks = oversub.instances.marksOfGone + made;
  if (reentered - pinned > marks)
    report('OS-4', `${reentered} repetitions, ${pinned} during pins, but the host has set ${marks} marks.`);
  const told = reentered + delivered;
  if (told > handled || (isAtRest && told !== handled))
    report('OS-4', `${handled} conflict exits, of which ${reentered} repeated and ${delivered} delivered.`);
}

/** OS-3 and OS-2 for a page that is out; what is being loaded has no slot any more. */
function checkSlot(audit: Audit, instance: OversubInstance, index: number, slots: Set<number>): void {
  const { records, versionArrays } = instance;
  const slot = records.slot(index);
  if (records.state(index) !== GuestState.EVICTED) {
    if (slot !== NONE) report(audit, 'OS-3', instance, index, 'has a slot');
    return;
  }
  checkSecsOfEvicted(audit, instance, index);
  if (slot === NONE) {
    if (audit.isAtRest) report(audit, 'OS-3', instance, index, 'has no slot');
    return;
  }
  if (slots.has(slot)) report(audit, 'OS-3', instance, index, 'shares its slot');
  slots.add(slot);
  const page = versionArrays[Math.floor(slot / SLOTS_PER_PAGE)] ?? NONE;
  if (page !== NONE && audit.hardware.versionIn(page, slot % SLOTS_PER_PAGE) === 0)
    report(audit, 'OS-3', instance, index, 'has no version in its slot');
}

/** OS-1, OS-7, and OS-2 for SECS pages and resident children. */
function checkRecord(audit: Audit, instance: OversubInstance, index: number): void {
  const { hardware, frames, isAtRest } = audit;
  const { records, vepc } = instance;
  const page = vepc.pages.get(index);
  const absent = audit.absent.get(hostPageOf({ instance, page: index })) ?? NONE_ABSENT;
  const count = records.evictedChildren(index);
  const pins = records.pins(index);
  if (isAtRest && count !== absent.evicted)
    report(audit, 'OS-1', instance, index, `counts ${count} evicted children, not ${absent.evicted}`);
  if (isAtRest && pins !== 0) report(audit, 'OS-7', instance, index, `has ${pins} pins`);
  if (pins > 0 && page === NONE) report(audit, 'OS-2', instance, index, 'is pinned, and not in the EPC');
  if (page === NONE) return;
  if (!hardware.isValid(page)) {
    // It was written, and its record will say so next.
    const isLeaving = !isAtRest && records.state(index) === GuestState.ZAPPED;
    if (absent.out > 0 && !isLeaving)
      report(audit, 'OS-2', instance, index, 'was the SECS of evicted children');
    return;
  }
  const { type, secs } = hardware.entry(page);
  if (type === PageType.SECS) checkCount(audit, instance, index, absent);
  else if (absent.out > 0) report(audit, 'OS-2', instance, index, 'is no SECS of evicted children');
  if (type === PageType.SECS || type === PageType.VA) return;
  if (secs === NONE || !hardware.isValid(secs) || frames.kind(secs) !== OwnerKind.GUEST)
    report(audit, 'OS-2', instance, index, 'is in the EPC without its SECS');
}

/** OS-1 for a SECS in the EPC. */
function checkCount(audit: Audit, instance: OversubInstance, index: number, absent: Absent): void {
  const { records, vepc } = instance;
  const virtual = audit.hardware.virtualChildren(vepc.pages.get(index));
  const owed = records.owed(index);
  // A child that is being dropped is counted by the record until it is owed.
  const counted = audit.isAtRest ? absent.evicted : Math.max(absent.out, records.evictedChildren(index));
  const least = owed + (audit.isAtRest ? absent.evicted : absent.out);
  const most = owed + counted + (audit.isAtRest ? 0 : records.pins(index));
  if (virtual >= least && virtual <= most) return;
  const allowed = least === most ? `${least}` : `${least} to ${most}`;
  report(audit, 'OS-1', instance, index, `has VIRTCHILDCNT ${virtual}, not ${allowed}`);
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
  // Unmapped first, asked about then.
  const isLeaving = state === GuestState.ZAPPED && records.classOf(index) === GuestClass.UNKNOWN;
  if (isMapped && state !== GuestState.PRESENT && (audit.isAtRest || !isLeaving))
    report(audit, 'OS-5', instance, index, `is mapped in state ${state}`);
  if (page === NONE) return;
  if (
    frames.kind(page) !== OwnerKind.GUEST ||
    frames.owner(page) !== vepc.id ||
    frames.record(page) !== index
  )
    report(audit, 'OS-5', instance, index, `has EPC page ${page}, whose owner is another one`);
  const isTracked = (frames.flags(page) & FrameFlag.TRACKED) !== 0;
  // A batch that was told of a memory error lets go of the page next.
  const isLeft = !audit.isAtRest && state === GuestState.LOST;
  if (isTracked && !records.isListed(index) && !isLeft)
    report(audit, 'OS-5', instance, index, 'is reclaimable unknown to us');
  if (!audit.isAtRest) return;
  if (isTracked && frames.listOf(page) === 0) report(audit, 'OS-7', instance, index, 'is in a batch');
  // A memory error takes a page from the reclaimer: the next touch finds out.
  if (state === GuestState.ZAPPED && !isTracked && !frames.isPoisoned(page))
    report(audit, 'OS-7', instance, index, 'waits for nobody');
}
