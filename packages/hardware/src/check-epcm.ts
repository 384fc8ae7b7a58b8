import type { EpcmEntry, PageIndex } from '@epckit/interface';
import { NONE, PageType, SecInfo } from '@epckit/interface';
import type { HardwareModel } from './hardware-model.js';

/** A broken EPCM invariant, as plain data. */
export interface EpcmViolation {
  /** I1 … I7. */
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
 * TRIM (I7). Reads every entry; allocates.
 */
export function checkEpcm(hardware: HardwareModel): EpcmViolation[] {
  const found: EpcmViolation[] = [];
  const children = new Map<PageIndex, number>();
  for (let page = 0; page < hardware.pageCount; page++) {
    const entry = hardware.entry(page);
    if (!entry.valid) continue;
    const report = (rule: string, message: string) => found.push({ rule, page, message });
    checkFlags(entry, report);
    if (entry.secs === NONE) continue;
    children.set(entry.secs, (children.get(entry.secs) ?? 0) + 1);
    checkOwner(hardware, entry, report);
  }
  for (let page = 0; page < hardware.pageCount; page++) {
    if (!hardware.isValid(page) || hardware.entry(page).type !== PageType.SECS) continue;
    const counted = children.get(page) ?? 0;
    const stated = hardware.secsChildren(page);
    if (stated === counted) continue;
    found.push({ rule: 'I2', page, message: `child count is ${stated}, valid children are ${counted}` });
  }
  return found;
}

type Report = (rule: string, message: string) => void;

function checkOwner(hardware: HardwareModel, entry: EpcmEntry, report: Report): void {
  const owner = hardware.entry(entry.secs);
  if (!owner.valid || owner.type !== PageType.SECS) {
    report('I1', `owning SECS ${entry.secs} is not a valid SECS`);
    return;
  }
  const { basePage, pageCount } = hardware.enclave(entry.secs);
  const offset = entry.linearPage - basePage;
  if (!(offset >= 0 && offset < pageCount)) report('I3', `address ${entry.linearPage} is outside ELRANGE`);
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
