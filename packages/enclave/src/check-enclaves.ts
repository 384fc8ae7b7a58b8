import type { FrameTable, PageIndex, PageTypeId, SgxHardware } from '@epckit/interface';
import { FrameFlag, NONE, OwnerKind, PageType } from '@epckit/interface';
import { checkChanges } from './check-changes.js';
import type { EnclaveDriver } from './driver.js';
import type { Enclave } from './enclave.js';
import { EnclaveFlag } from './enclave.js';
import { SECS_RECORD, versionArrayNumber } from './record-id.js';

/** A broken invariant of the native driver, as plain data. */
export interface EnclaveViolation {
  /** Name of the rule, such as `I-2`; see {@link checkEnclaves}. */
  readonly rule: string;
  /** What was found, in one sentence. */
  readonly message: string;
}

/** EPC tables, what an enclave should have in them, and what was found. */
interface Audit {
  readonly frames: FrameTable;
  readonly hardware: SgxHardware;
  /** EPC pages that a live enclave knows. */
  readonly known: Set<PageIndex>;
  /** The enclave has lost its EPC pages with the power: the EPCM says nothing of it. */
  readonly isPowerless: boolean;
  /** May the SECS of an initialized enclave be reclaimable? */
  readonly listsSecs: boolean;
  /** Pages of the enclave's backing file that are present. */
  readonly file: ReadonlySet<number>;
  report(rule: string, message: string): void;
}

const SLOTS_PER_PAGE = 512;
const PCMDS_PER_PAGE = 32;

/**
 * Compares what enclaves, frame table, EPCM, version slots, backing files and page tables say of each other, at
 * rest: no thread is inside the driver or a batch. Reads everything and allocates; for tests and for the ends
 * of steps.
 *
 * Covered of the invariants of an EPC manager: every page of an owner is known to it, none is free and owned
 * (I-1); free pages are invalid in the EPCM (I-1b); child counts of driver and hardware (I-2); a SECS is there
 * for its resident children (I-2b); no page is in a batch (I-3) or being reclaimed (I-4); resident pages are
 * reclaimable unless poisoned, version arrays are not, nor is a SECS unless the driver lists those without children (I-5); slots, evicted pages and version array
 * pages (I-6); references are one plus the listed address spaces (I-7); only resident pages are mapped (I-8);
 * no page is blocked, evicted pages are in the file (I-9). `EPCM`: record, frame table and EPCM entry name the
 * same page, address, type and SECS. `EDMM`: what waits for the enclave's acceptance is what the records say.
 *
 * A page that EREMOVE refused is leaked for ever, as in Linux; it shows as I-1.
 *
 * @param hasLostPower tells the enclaves whose EPC pages were lost with the power: what the EPCM, the version arrays
 * and the file should have of them is not asked. Default: none
 * @returns violations, empty for a sound driver
 */
export function checkEnclaves(
  driver: Pick<EnclaveDriver, 'enclaves'> & Partial<Pick<EnclaveDriver, 'listsSecs'>>,
  frames: FrameTable,
  hardware: SgxHardware,
  hasLostPower: (enclave: Enclave) => boolean = () => false,
): EnclaveViolation[] {
  const violations: EnclaveViolation[] = [];
  const known = new Set<PageIndex>();
  const { listsSecs = false } = driver;
  for (const enclave of driver.enclaves()) {
    const report = (rule: string, message: string) => {
      violations.push({ rule, message: `Enclave ${enclave.id}: ${message}` });
    };
    const file = new Set(enclave.paging?.backing.presentPages());
    const isPowerless = hasLostPower(enclave);
    checkEnclave({ frames, hardware, known, isPowerless, listsSecs, file, report }, enclave);
  }
  const report = (rule: string, message: string) => void violations.push({ rule, message });
  checkPages({ frames, hardware, known, isPowerless: false, listsSecs, file: new Set(), report });
  return violations;
}

function checkEnclave(audit: Audit, enclave: Enclave): void {
  const expected = 1 + enclave.addressSpaces().length;
  if (enclave.refs.value !== expected) {
    audit.report('I-7', `it has ${enclave.refs.value} references, file and address spaces are ${expected}.`);
  }
  if (enclave.paging === null) return;
  const residents = checkRecords(audit, enclave);
  checkChildren(audit, enclave, residents);
  checkSecs(audit, enclave);
  checkSlots(audit, enclave);
  checkMappings(audit, enclave);
}

/** @returns number of resident pages */
function checkRecords(audit: Audit, enclave: Enclave): number {
  const { records } = enclave;
  let residents = 0;
  for (let index = records.next(0); index !== NONE; index = records.next(index + 1)) {
    const page = records.epc(index);
    if (records.isBeingReclaimed(index)) audit.report('I-4', `page ${index} is being reclaimed.`);
    if (page === NONE && audit.isPowerless) continue;
    if (page === NONE && records.isLost(index) && records.slot(index) === NONE) continue;
    if (page === NONE) {
      if (records.slot(index) === NONE) audit.report('I-6', `page ${index} is neither resident nor evicted.`);
      else checkBacking(audit, enclave, index);
      continue;
    }
    residents++;
    checkResident(audit, enclave, index, page);
  }
  return residents;
}

function checkResident(audit: Audit, enclave: Enclave, index: number, page: PageIndex): void {
  const { frames, hardware } = audit;
  const { records } = enclave;
  if (records.slot(index) !== NONE) audit.report('I-6', `page ${index} is resident and has a version slot.`);
  checkFrame(audit, enclave, page, index, records.type(index));
  const isListed = frames.listOf(page) !== 0;
  const isTracked = (frames.flags(page) & FrameFlag.TRACKED) !== 0;
  if (isTracked && !isListed) audit.report('I-3', `page ${index} is in a batch.`);
  if (isListed && !isTracked) audit.report('I-1', `page ${index} is listed and not tracked.`);
  if (!isTracked && !isListed && !frames.isPoisoned(page)) {
    audit.report('I-5', `page ${index} is resident and not reclaimable.`);
  }
  const entry = hardware.entry(page);
  if (!entry.valid) return;
  if (entry.blocked) audit.report('I-9', `page ${index} is blocked and resident.`);
  if (entry.secs !== enclave.secs) {
    audit.report('EPCM', `page ${index} is a child of EPC page ${entry.secs}, the SECS is ${enclave.secs}.`);
  }
  if (entry.linearPage !== enclave.linearPage(index)) {
    audit.report('EPCM', `page ${index} is at address ${entry.linearPage} × 4096.`);
  }
  for (const problem of checkChanges(records, index, entry)) audit.report('EDMM', problem);
}

/** Frame table and EPCM agree that `page` holds `record`. */
function checkFrame(audit: Audit, enclave: Enclave, page: PageIndex, record: number, type: PageTypeId): void {
  const { frames, hardware, known } = audit;
  if (known.has(page)) audit.report('I-1', `EPC page ${page} has two users.`);
  known.add(page);
  const isOwner = frames.kind(page) === OwnerKind.NATIVE && frames.owner(page) === enclave.id;
  if (!isOwner || frames.record(page) !== record) {
    audit.report('EPCM', `the frame table has another owner or record for EPC page ${page}.`);
  }
  if (audit.isPowerless) return;
  const entry = hardware.entry(page);
  if (!entry.valid) audit.report('EPCM', `EPC page ${page} holds record ${record} and is invalid.`);
  else if (entry.type !== type) audit.report('EPCM', `EPC page ${page} has type ${entry.type}, not ${type}.`);
}

function checkChildren(audit: Audit, enclave: Enclave, residents: number): void {
  const { children, secs } = enclave;
  if (children !== residents)
    audit.report('I-2', `it counts ${children} children, ${residents} are resident.`);
  if (secs === NONE) {
    if (residents > 0) audit.report('I-2b', `${residents} pages are resident without the SECS.`);
    return;
  }
  if (audit.isPowerless || !audit.hardware.isValid(secs) || audit.hardware.entry(secs).type !== PageType.SECS)
    return;
  const counted = audit.hardware.tracking(secs).children;
  if (counted !== residents)
    audit.report('I-2', `the EPCM has ${counted} children, ${residents} are resident.`);
}

function checkSecs(audit: Audit, enclave: Enclave): void {
  const { secs } = enclave;
  if (secs !== NONE) {
    checkFrame(audit, enclave, secs, SECS_RECORD, PageType.SECS);
    if (!isReclaimableSecs(audit, enclave)) checkHeld(audit, secs, 'SECS');
  } else if (audit.isPowerless || enclave.isDestroyed) {
    return;
  } else if (enclave.secsSlot === NONE) {
    audit.report('I-6', 'the SECS is neither resident nor evicted.');
  } else {
    checkBacking(audit, enclave, enclave.pageCount);
  }
}

/** A SECS may be reclaimable after INIT, in a driver that lists those without children. */
function isReclaimableSecs({ frames, listsSecs }: Audit, { secs, flags }: Enclave): boolean {
  if (!listsSecs) return false;
  const isInitialized = (flags.value & EnclaveFlag.INITIALIZED) !== 0;
  return isInitialized && frames.listOf(secs) !== 0 && frames.flags(secs) === FrameFlag.TRACKED;
}

/** A page that the owner keeps: without flags, and on no list but one that the controller of its group may have. */
function checkHeld(audit: Audit, page: PageIndex, what: string): void {
  const { frames } = audit;
  const mayBeListed = frames.group(page) !== NONE;
  if ((mayBeListed || frames.listOf(page) === 0) && frames.flags(page) === 0) return;
  audit.report('I-5', `the ${what} in EPC page ${page} is on a list or has flags.`);
}

/** Used slots and evicted pages, one to one; version array pages for every page that may need a slot. */
function checkSlots(audit: Audit, enclave: Enclave): void {
  const evicted = slotsInUse(audit, enclave);
  const slots = enclave.paging?.slots;
  if (slots === undefined) return;
  for (const { index, page, used } of slots.pages()) {
    // Numbered in order of EPA, which counts those of calls that failed too.
    const record = audit.frames.record(page);
    if (versionArrayNumber(record) === NONE) {
      audit.report('EPCM', `version array ${index} is no version array in the frame table.`);
    }
    checkFrame(audit, enclave, page, record, PageType.VA);
    checkHeld(audit, page, 'version array');
    const expected = evicted.get(index) ?? 0;
    if (used !== expected)
      audit.report('I-6', `version array ${index} has ${used} slots in use, not ${expected}.`);
    const isArray =
      !audit.isPowerless && audit.hardware.isValid(page) && audit.hardware.entry(page).type === PageType.VA;
    const occupied = isArray ? audit.hardware.occupiedSlots(page) : used;
    if (occupied !== used)
      audit.report('I-6', `version array ${index} holds ${occupied} versions, not ${used}.`);
    evicted.delete(index);
  }
  for (const index of evicted.keys()) audit.report('I-6', `version array ${index} is gone and needed.`);
  if (enclave.isDestroyed) return;
  const users = enclave.slotUsers.value;
  const recordCount = countRecords(enclave);
  if (users !== recordCount + 1)
    audit.report('I-6', `page_cnt is ${users} for ${recordCount} pages and a SECS.`);
  const needed = Math.ceil(users / SLOTS_PER_PAGE);
  if (slots.pageCount < needed) {
    audit.report('I-6', `it has ${slots.pageCount} version array pages and needs ${needed}.`);
  }
}

/** @returns slots in use per version array, as the records say */
function slotsInUse(audit: Audit, enclave: Enclave): Map<number, number> {
  const { records } = enclave;
  const taken = new Set<number>();
  const perArray = new Map<number, number>();
  const take = (slot: number) => {
    if (slot === NONE) return;
    if (taken.has(slot)) audit.report('I-6', `version slot ${slot} is used twice.`);
    taken.add(slot);
    const array = Math.floor(slot / SLOTS_PER_PAGE);
    perArray.set(array, (perArray.get(array) ?? 0) + 1);
  };
  for (let index = records.next(0); index !== NONE; index = records.next(index + 1))
    take(records.slot(index));
  take(enclave.secsSlot);
  return perArray;
}

function countRecords({ records }: Enclave): number {
  let count = 0;
  for (let index = records.next(0); index !== NONE; index = records.next(index + 1)) count++;
  return count;
}

/** An evicted page has its contents page and its PCMD page in the file. */
function checkBacking(audit: Audit, enclave: Enclave, index: number): void {
  const pcmdPage = enclave.pageCount + 1 + Math.floor(index / PCMDS_PER_PAGE);
  if (!audit.file.has(index)) audit.report('I-9', `the contents of page ${index} are not in the file.`);
  if (!audit.file.has(pcmdPage)) audit.report('I-9', `the PCMD of page ${index} is not in the file.`);
}

function checkMappings(audit: Audit, enclave: Enclave): void {
  const { id, records } = enclave;
  for (const mm of enclave.addressSpaces()) {
    const table = mm.table(id);
    const pte = table?.pte ?? new Uint8Array(0);
    for (let index = 0; index < pte.length; index++) {
      // An orphan's entries are nobody's to remove.
      if (pte[index] === 0 || table?.vmaOf(index)?.isOrphan === true) continue;
      const isResident = index < records.pageCount && records.exists(index) && records.epc(index) !== NONE;
      if (!isResident)
        audit.report('I-8', `page ${index} is mapped in address space ${mm.id} and not resident.`);
    }
  }
}

/** What no enclave knows: free pages are invalid and nobody's, and a page of an enclave is none of these. */
function checkPages({ frames, hardware, known, report }: Audit): void {
  for (let page = 0; page < frames.pageCount; page++) {
    const isNative = frames.kind(page) === OwnerKind.NATIVE;
    const isFree = (frames.flags(page) & FrameFlag.IS_FREE) !== 0;
    if (isFree && frames.kind(page) !== OwnerKind.NONE)
      report('I-1', `EPC page ${page} is free and has an owner.`);
    if (isFree && known.has(page)) report('I-1', `EPC page ${page} is free and in use.`);
    if (isFree && hardware.isValid(page)) report('I-1b', `EPC page ${page} is free and valid in the EPCM.`);
    if (isNative && !known.has(page))
      report('I-1', `EPC page ${page} of enclave ${frames.owner(page)} is leaked.`);
  }
}
