import type { FrameTable, PageIndex, SgxHardware } from '@epckit/interface';
import { NONE, OwnerKind, PageType } from '@epckit/interface';
import type { VepcDriver } from './driver.js';
import type { Oversub } from './oversub/oversub.js';
import { versionPageRecord } from './oversub/version-pages.js';
import type { Vepc } from './vepc.js';

/** A broken invariant of virtual EPC, as plain data. */
export interface VepcViolation {
  /** Name of the rule, such as `VE-1`; see {@link checkVepc}. */
  readonly rule: string;
  /** What was found, in one sentence. */
  readonly message: string;
}

interface Audit {
  readonly frames: FrameTable;
  readonly hardware: SgxHardware;
  /** Host reclaim, or null. */
  readonly oversub: Oversub | null;
  /** Where each page is known. */
  readonly places: Map<PageIndex, string>;
  report(rule: string, message: string): void;
}

/**
 * Compares what instances, zombie list, frame table, EPCM and page tables say of guest pages, at rest: no thread is
 * inside the driver. Reads everything and allocates; for tests and for the ends of steps.
 *
 * - VE-1: each guest page is in exactly one place, an entry of a live instance or the zombie list, and none is lost
 * - VE-2: frame table and entry agree on owner and page; a zombie's owner is an instance that is gone
 * - VE-3: a guest page of an instance without reclaim is not reclaimable: without flags, and on no list but that of the
 *   zombies
 * - VE-4: a zombie is a valid SECS
 * - VE-5: the SECS of a guest's page is a guest page too; an unused page has no SECS
 * - VE-6: only pages with an entry are mapped
 *
 * @returns violations, empty for a sound driver
 */
export function checkVepc(
  driver: Pick<VepcDriver, 'instances' | 'zombies'> & Partial<Pick<VepcDriver, 'oversub'>>,
  frames: FrameTable,
  hardware: SgxHardware,
): VepcViolation[] {
  const violations: VepcViolation[] = [];
  const report = (rule: string, message: string) => void violations.push({ rule, message });
  const audit: Audit = { frames, hardware, oversub: driver.oversub ?? null, places: new Map(), report };
  const instances = driver.instances();
  for (const vepc of instances) checkInstance(audit, vepc);
  const live = new Set(instances.map(({ id }) => id));
  for (const page of driver.zombies.all()) checkZombie(audit, page, live);
  for (let page = 0; page < frames.pageCount; page++) checkPage(audit, page);
  return violations;
}

function checkInstance(audit: Audit, vepc: Vepc): void {
  const { frames, report } = audit;
  let count = 0;
  for (let index = vepc.pages.next(0); index !== NONE; index = vepc.pages.next(index + 1)) {
    const page = vepc.pages.get(index);
    count++;
    place(audit, page, `page ${index} of instance ${vepc.id}`);
    const isOwner = frames.kind(page) === OwnerKind.GUEST && frames.owner(page) === vepc.id;
    if (!isOwner || frames.record(page) !== index)
      report(
        'VE-2',
        `The frame table does not know EPC page ${page} as page ${index} of instance ${vepc.id}.`,
      );
    const mayBeListed = audit.oversub?.instance(vepc.id) !== undefined || frames.group(page) !== NONE;
    if (frames.listOf(page) !== 0 && !mayBeListed) report('VE-3', `EPC page ${page} is on a list.`);
  }
  if (count !== vepc.pages.count)
    report('VE-1', `Instance ${vepc.id} counts ${vepc.pages.count} pages and has ${count}.`);
  for (const [number, page] of audit.oversub?.instance(vepc.id)?.versionArrays.entries() ?? []) {
    if (page === NONE) continue;
    place(audit, page, `version array page ${number} of instance ${vepc.id}`);
    if (frames.record(page) !== versionPageRecord(number))
      report('VE-2', `The frame table does not know EPC page ${page} as a version array page.`);
  }
  checkMappings(audit, vepc);
}

function checkMappings({ report }: Audit, vepc: Vepc): void {
  for (const mm of vepc.addressSpaces()) {
    mm.table(vepc.id)?.pte.forEach((entry, index) => {
      if (entry === 0 || vepc.pages.get(index) !== NONE) return;
      report('VE-6', `Page ${index} of instance ${vepc.id} is mapped in address space ${mm.id} without EPC.`);
    });
  }
}

function checkZombie(audit: Audit, page: PageIndex, live: ReadonlySet<number>): void {
  const { frames, hardware, report } = audit;
  place(audit, page, 'the zombie list');
  if (frames.kind(page) !== OwnerKind.GUEST) report('VE-2', `Zombie ${page} is no guest page.`);
  else if (live.has(frames.owner(page))) report('VE-2', `Zombie ${page} belongs to a live instance.`);
  const isSecs = hardware.isValid(page) && hardware.entry(page).type === PageType.SECS;
  if (!isSecs) report('VE-4', `Zombie ${page} is no SECS.`);
}

/** Notes where a page is. */
function place({ places, report }: Audit, page: PageIndex, where: string): void {
  const other = places.get(page);
  if (other !== undefined) report('VE-1', `EPC page ${page} is ${other} and ${where}.`);
  places.set(page, where);
}

function checkPage({ frames, hardware, oversub, places, report }: Audit, page: PageIndex): void {
  const isGuest = frames.kind(page) === OwnerKind.GUEST;
  if (isGuest && !places.has(page)) report('VE-1', `EPC page ${page} is lost.`);
  if (!isGuest && places.has(page))
    report('VE-1', `EPC page ${page} is ${places.get(page)} and not the guest's.`);
  if (!isGuest) return;
  const isReclaimable = oversub?.instance(frames.owner(page)) !== undefined;
  if (frames.flags(page) !== 0 && !isReclaimable)
    report('VE-3', `EPC page ${page} has flags ${frames.flags(page)}.`);
  if (!hardware.isValid(page)) return;
  const { secs, type } = hardware.entry(page);
  if (type === PageType.SECS || type === PageType.VA) return;
  if (secs === NONE || frames.kind(secs) !== OwnerKind.GUEST)
    report('VE-5', `EPC page ${page} is a child of EPC page ${secs}, which is not the guest's.`);
}
