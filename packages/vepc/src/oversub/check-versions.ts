import { NONE, OwnerKind, PageType } from '@epckit/interface';
import type { Audit } from './check-oversub.js';
import { GuestState } from './guest-records.js';
import type { OversubInstance } from './instance.js';
import { versionPageRecord } from './version-pages.js';
import { SLOTS_PER_PAGE } from './version-shape.js';
import type { VersionTree } from './version-tree.js';

/** OS-3: slots in use and capacity, with one version array page per 512 pages. */
export function checkSlots(audit: Audit, instance: OversubInstance, slots: ReadonlySet<number>): void {
  if (!instance.isMapped) return;
  let used = 0;
  let capacity = 0;
  for (const page of instance.paging.slots.pages()) {
    used += page.used;
    capacity += SLOTS_PER_PAGE;
  }
  judgeSlots(audit, instance, { used, evicted: slots.size, capacity });
}

/** OS-6: where version array pages in the EPC are, as frame table and processor see them. */
export function checkVersionPages({ frames, hardware, report }: Audit, instance: OversubInstance): void {
  for (const [number, page] of instance.versionArrays.entries()) {
    if (page === NONE && instance.versionStore !== null) continue;
    const isOurs = frames.kind(page) === OwnerKind.GUEST && frames.owner(page) === instance.id;
    const isArray = hardware.isValid(page) && hardware.entry(page).type === PageType.VA;
    const isListed = frames.listOf(page) !== 0 && frames.group(page) === NONE;
    if (!isOurs || !isArray || frames.record(page) !== versionPageRecord(number) || isListed)
      report('OS-6', `EPC page ${page} is not version array page ${number} of instance ${instance.id}.`);
  }
}

/** OS-3 and OS-6 for version array pages that can be evicted: the laws of the tree. */
export function checkVersionTree(
  audit: Audit,
  instance: OversubInstance,
  tree: VersionTree,
  slots: ReadonlySet<number>,
): void {
  const { shape } = tree;
  if (!instance.isMapped) return;
  let used = 0;
  for (let leaf = 0; leaf < shape.leafCount; leaf++) {
    used += tree.used(leaf);
    if (audit.isAtRest) checkLeaf(audit, instance, tree, leaf, slots);
  }
  const capacity = shape.leafCount * shape.slotsPerPage;
  judgeSlots(audit, instance, { used, evicted: slots.size, capacity });
  if (!audit.isAtRest) return;
  for (let node = shape.leafCount; node < shape.pageCount; node++) checkNode(audit, instance, tree, node);
  if (tree.page(shape.root) === NONE)
    audit.report('OS-6', `The root of the version array pages of instance ${instance.id} is not in the EPC.`);
  const resident = tree.pages.filter((page) => page !== NONE).length;
  if (tree.resident !== resident)
    audit.report(
      'OS-6',
      `Instance ${instance.id} counts ${tree.resident} version array pages, not ${resident}.`,
    );
}

interface SlotCounts {
  readonly used: number;
  readonly evicted: number;
  readonly capacity: number;
}

function judgeSlots({ isAtRest, report }: Audit, instance: OversubInstance, counts: SlotCounts): void {
  const { id, vepc } = instance;
  const { used, evicted, capacity } = counts;
  const most = evicted + (!isAtRest && isWriting(instance) ? 1 : 0);
  if (used < evicted || used > most)
    report('OS-3', `Instance ${id} has ${evicted} evicted pages and ${used} slots in use.`);
  if (isAtRest && capacity < vepc.pageCount)
    report('OS-3', `Instance ${id} has ${capacity} slots for ${vepc.pageCount} pages.`);
}

/** May a page be between the taking of its slot and its eviction? Under the instance's lock it is the only one. */
function isWriting({ records }: OversubInstance): boolean {
  for (let index = records.next(0); index !== NONE; index = records.next(index + 1))
    if (records.state(index) === GuestState.ZAPPED) return true;
  return false;
}

/** A slot is in use if and only if an evicted page has it, and has a version then; the lists know every leaf. */
function checkLeaf(
  audit: Audit,
  { id }: OversubInstance,
  tree: VersionTree,
  leaf: number,
  slots: ReadonlySet<number>,
): void {
  const page = tree.page(leaf);
  let used = 0;
  for (let slot = leaf * SLOTS_PER_PAGE; slot < leaf * SLOTS_PER_PAGE + tree.shape.slotsPerPage; slot++) {
    const isUsed = tree.hasSlot(slot);
    if (isUsed) used++;
    if (isUsed !== slots.has(slot))
      audit.report('OS-3', `Slot ${slot} of instance ${id} is in use by nobody, or taken twice.`);
    if (isUsed && page !== NONE && audit.hardware.versionIn(page, slot % SLOTS_PER_PAGE) === 0)
      audit.report('OS-3', `Slot ${slot} of instance ${id} has no version.`);
  }
  if (used !== tree.used(leaf))
    audit.report('OS-3', `Leaf ${leaf} of instance ${id} counts ${tree.used(leaf)} slots, not ${used}.`);
  const places = tree.leaves().filter((number) => number === leaf).length;
  if (places !== (page === NONE ? 0 : 1))
    audit.report('OS-6', `Leaf ${leaf} of instance ${id} is on ${places} lists.`);
}

/** A node counts its children, is in the EPC while one of them is, and has the versions of those that are not. */
function checkNode(
  { report, hardware }: Audit,
  { id }: OversubInstance,
  tree: VersionTree,
  node: number,
): void {
  const page = tree.page(node);
  const made = tree.shape.children(node).filter((child) => tree.isMade(child));
  const evicted = made.filter((child) => tree.page(child) === NONE);
  if (tree.used(node) !== made.length || tree.evictedChildren(node) !== evicted.length)
    report('OS-6', `Version array page ${node} of instance ${id} counts its children wrongly.`);
  if (page === NONE && evicted.length < made.length)
    report('OS-6', `Version array page ${node} of instance ${id} was evicted before those below it.`);
  if (page === NONE) return;
  for (const child of tree.shape.children(node)) {
    const hasVersion = hardware.versionIn(page, tree.shape.slotInParent(child)) !== 0;
    if (hasVersion !== evicted.includes(child))
      report(
        'OS-6',
        `The slot of version array page ${child} of instance ${id} is ${hasVersion ? 'not ' : ''}empty.`,
      );
  }
}
