import type { EpcmEntry, PageIndex } from '@epckit/interface';
import { NONE, PageType, SecInfo } from '@epckit/interface';
import type { HardwareModel } from './hardware-model.js';
import { SLOT_COUNT } from './version-arrays.js';

/** A broken EPCM invariant, as plain data. */
export interface EpcmViolation {
  /** I1 … I7, I9 or I10. */
  readonly rule: string;
  /** EPC page that it shows at. */
  readonly page: PageIndex;
  /** What was found, in one sentence. */
  readonly message: string;
}

const PERMISSIONS = SecInfo.R | SecInfo.W | SecInfo.X;
const PENDING_TYPES: readonly number[] = [PageType.REG, PageType.SS_FIRST, PageType.SS_REST];
const MODIFIED_TYPES: readonly number[] = [PageType.TCS, PageType.TRIM];

/**
 * Looks for broken EPCM invariants: no page without its SECS (I1), child counts (I2), addresses in ELRANGE (I3),
 * no write without read (I4), PENDING and MODIFIED (I5), flags of SECS and VA (I6), permissions of TCS and
 * TRIM (I7), no page that left while a processor could reach it (I9, if the processor keeps TLBs), EIDs and versions
 * that were given out once (I10). I8 allows something: two pages at one linear page. Reads every entry and every
 * slot; allocates.
 */
export function checkEpcm(hardware: HardwareModel): EpcmViolation[] {
  const found: EpcmViolation[] = [];
  const children = new Map<PageIndex, number>();
  const unique = new Unique(hardware);
  for (let page = 0; page < hardware.pageCount; page++) {
    if (!hardware.isValid(page)) continue;
    const entry = hardware.entry(page);
    const report = (rule: string, message: string) => found.push({ rule, page, message });
    checkFlags(entry, report);
    if (entry.type === PageType.SECS) unique.checkEnclaveId(page, report);
    if (entry.type === PageType.VA) unique.checkVersions(page, report);
    if (entry.secs === NONE) continue;
    children.set(entry.secs, (children.get(entry.secs) ?? 0) + 1);
    checkOwner(hardware, entry, report);
  }
  for (const secs of unique.secsPages) {
    const counted = children.get(secs) ?? 0;
    const stated = hardware.secsChildren(secs);
    if (stated === counted) continue;
    found.push({
      rule: 'I2',
      page: secs,
      message: `child count is ${stated}, valid children are ${counted}`,
    });
  }
  for (const { cpu, page, holds } of hardware.staleTranslations) {
    found.push({ rule: 'I9', page, message: `left while cpu ${cpu} had it as ${holds}` });
  }
  return found;
}

type Report = (rule: string, message: string) => void;

/** I10: what was given out once is found at most once, and not before it was given out. */
class Unique {
  /** Valid SECS pages seen so far. */
  readonly secsPages: PageIndex[] = [];
  readonly #hardware: HardwareModel;
  readonly #enclaveIds = new Set<number>();
  readonly #versions = new Set<number>();

  constructor(hardware: HardwareModel) {
    this.#hardware = hardware;
  }

  checkEnclaveId(secs: PageIndex, report: Report): void {
    const { lastEnclaveId } = this.#hardware;
    const { enclaveId } = this.#hardware.enclave(secs);
    this.secsPages.push(secs);
    if (this.#enclaveIds.has(enclaveId)) report('I10', `EID ${enclaveId} is the EID of another SECS`);
    if (!(enclaveId >= 1 && enclaveId <= lastEnclaveId)) {
      report('I10', `EID ${enclaveId} was not given out, the last is ${lastEnclaveId}`);
    }
    this.#enclaveIds.add(enclaveId);
  }

  checkVersions(vaPage: PageIndex, report: Report): void {
    const { lastVersion } = this.#hardware;
    for (let slot = 0; slot < SLOT_COUNT; slot++) {
      const version = this.#hardware.versionIn(vaPage, slot);
      if (version === 0) continue;
      if (this.#versions.has(version)) report('I10', `version ${version} is in two slots`);
      if (!(version > 0 && version <= lastVersion)) {
        report('I10', `version ${version} was not given out, the last is ${lastVersion}`);
      }
      this.#versions.add(version);
    }
  }
}

function checkOwner(hardware: HardwareModel, entry: EpcmEntry, report: Report): void {
  const owner = hardware.entry(entry.secs);
  if (!owner.valid || owner.type !== PageType.SECS) {
    report('I1', `owning SECS ${entry.secs} is not a valid SECS`);
    return;
  }
  const { basePage, pageCount } = hardware.enclave(entry.secs);
  const offset = entry.linearPage - basePage;
  const isInRange = Number.isInteger(offset) && offset >= 0 && offset < pageCount;
  if (!isInRange) report('I3', `address ${entry.linearPage} is outside ELRANGE`);
}

function checkFlags(entry: EpcmEntry, report: Report): void {
  const { type, flags, blocked } = entry;
  const pending = (flags & SecInfo.PENDING) !== 0;
  const modified = (flags & SecInfo.MODIFIED) !== 0;
  if (type === PageType.REG && (flags & PERMISSIONS & ~SecInfo.X) === SecInfo.W) report('I4', 'W without R');
  if (pending && !PENDING_TYPES.includes(type)) report('I5', `PENDING on type ${type}`);
  if (modified && !MODIFIED_TYPES.includes(type)) report('I5', `MODIFIED on type ${type}`);
  if (pending && modified) report('I5', 'PENDING and MODIFIED');
  if ((type === PageType.SECS || type === PageType.VA) && (blocked || flags !== 0)) {
    report('I6', `type ${type} with flags ${flags}, blocked ${blocked}`);
  }
  if ((type === PageType.TCS || type === PageType.TRIM) && (flags & PERMISSIONS) !== 0) {
    report('I7', `type ${type} with permissions`);
  }
}
