import type {
  AccessKind,
  AccessMonitor,
  MmId,
  ObjectRegistry,
  Op,
  OwnerId,
  PageIndex,
  PageTable,
  Probe,
  RwLock,
  Thread,
  Vma,
  WalkResult,
} from '@epckit/interface';
import { InvariantViolation, MisuseError, Mode, NONE, op, Pte, pteNeeds, Walk } from '@epckit/interface';
import { RIGHTS_MASK, rightsOf } from './rights.js';
import { VmaList } from './vma-list.js';

/** Bits that an access sets, indexed by {@link AccessKind}. */
const touched: readonly number[] = [Pte.ACCESSED, Pte.ACCESSED | Pte.DIRTY, Pte.ACCESSED];

/** What a page table needs of its address space. */
export interface PageTableHost {
  readonly id: MmId;
  readonly lock: RwLock;
  readonly objects: ObjectRegistry;
  readonly monitor: AccessMonitor | null;
  readonly probe: Probe | null;
  readonly frameOf: ((owner: OwnerId, page: number) => PageIndex) | null;
  readonly catchUp: ((thread: Thread, owner: OwnerId) => void) | null;
}

/** Mappings and page-table bytes of one owner in one address space. */
export class BytePageTable implements PageTable {
  readonly owner: OwnerId;
  readonly pte: Uint8Array;
  /** EPC page of each present entry; beside the bytes, which stay small for the hit path. */
  readonly #frames: Int32Array | null;
  readonly #mm: PageTableHost;
  readonly #vmas = new VmaList();
  readonly #pteObject: number;
  readonly #vmaObject: number;

  constructor(owner: OwnerId, pageCount: number, mm: PageTableHost) {
    this.owner = owner;
    this.pte = new Uint8Array(pageCount);
    this.#frames = mm.frameOf === null ? null : new Int32Array(pageCount);
    this.#mm = mm;
    this.#pteObject = mm.objects.range(`mm${mm.id}.pte of owner ${owner}`, pageCount);
    this.#vmaObject = mm.objects.range(`mm${mm.id}.vmas of owner ${owner}`, 1);
  }

  pteAt(page: number): Op {
    return op(this.#pteObject + page, Mode.WRITE);
  }

  frame(page: number): PageIndex {
    if (this.#frames === null) {
      throw new MisuseError('The entries of this address space name no EPC pages.', [], {
        hint: 'Make it with frameOf.',
      });
    }
    this.#mm.monitor?.atomic(this.#pteObject + page, Mode.READ);
    return this.pte[page] ? (this.#frames[page] as number) : NONE;
  }

  get vmas(): readonly Vma[] {
    this.#mm.monitor?.read(this.#vmaObject);
    return this.#vmas.all;
  }

  vmaOf(page: number): Vma | undefined {
    this.#mm.monitor?.read(this.#vmaObject);
    return this.#vmas.find(page);
  }

  map(thread: Thread, start: number, end: number, prot: number): void {
    this.unmap(thread, start, end);
    this.#vmas.set(start, end, prot);
  }

  unmap(thread: Thread, start: number, end: number): void {
    this.#requireRange(thread, start, end);
    this.#mm.catchUp?.(thread, this.owner);
    this.#mm.monitor?.write(this.#vmaObject);
    this.#vmas.remove(start, end);
    this.pte.fill(0, start, end);
    this.#reportEntries(start, end);
  }

  protect(thread: Thread, start: number, end: number, prot: number): boolean {
    this.#requireRange(thread, start, end);
    this.#mm.catchUp?.(thread, this.owner);
    this.#mm.monitor?.write(this.#vmaObject);
    const hole = this.#vmas.firstHole(start, end);
    this.#vmas.protect(start, hole, prot);
    const rights = rightsOf(prot);
    for (let page = start; page < Math.min(hole, this.pte.length); page++) {
      const entry = this.pte[page] as number;
      if (entry !== 0) this.pte[page] = (entry & ~RIGHTS_MASK) | rights;
    }
    this.#reportEntries(start, hole);
    return hole === end;
  }

  orphan(thread: Thread, page: number): void {
    this.#requireRange(thread, page, page + 1);
    this.#mm.catchUp?.(thread, this.owner);
    this.#mm.monitor?.write(this.#vmaObject);
    this.#vmas.orphan(page);
  }

  copyFrom(thread: Thread, parent: PageTable): void {
    this.#requireRange(thread, 0, parent.pte.length);
    this.#mm.catchUp?.(thread, this.owner);
    this.#mm.monitor?.write(this.#vmaObject);
    this.#vmas.copyFrom(parent.vmas);
    for (let page = 0; page < parent.pte.length; page++) {
      const entry = parent.pte[page] as number;
      this.pte[page] = entry & ~(Pte.ACCESSED | Pte.DIRTY);
      if (entry !== 0 && this.#frames !== null) this.#frames[page] = parent.frame(page);
    }
    this.#reportEntries(0, parent.pte.length);
  }

  insert(thread: Thread, page: number): boolean {
    this.#mm.catchUp?.(thread, this.owner);
    this.#mm.monitor?.atomic(this.#pteObject + page, Mode.WRITE);
    if (this.pte[page] !== 0) return false;
    const vma = this.vmaOf(page);
    if (vma === undefined) throw new InvariantViolation(`Page ${page} of owner ${this.owner} is not mapped.`);
    if (this.#frames !== null) this.#frames[page] = this.#frameToInsert(page);
    this.pte[page] = Pte.PRESENT | rightsOf(vma.prot) | Pte.ACCESSED;
    return true;
  }

  zap(thread: Thread, page: number): boolean {
    this.#mm.catchUp?.(thread, this.owner);
    this.#mm.monitor?.atomic(this.#pteObject + page, Mode.WRITE);
    if (!this.pte[page]) return false;
    this.pte[page] = 0;
    this.#mm.probe?.pteZapped(thread.id, this.owner, page, this.#mm.id);
    return true;
  }

  testAndClearYoung(thread: Thread, page: number): boolean {
    this.#mm.catchUp?.(thread, this.owner);
    this.#mm.monitor?.atomic(this.#pteObject + page, Mode.WRITE);
    const entry = this.pte[page] as number;
    this.pte[page] = entry & ~Pte.ACCESSED;
    return (entry & Pte.ACCESSED) !== 0;
  }

  /** One access: the page table first, then the mappings say why it failed. */
  walk(page: number, kind: AccessKind): WalkResult {
    const monitor = this.#mm.monitor;
    const entry = this.pte[page] as number;
    const need = pteNeeds[kind] as number;
    if ((entry & need) === need) {
      monitor?.atomic(this.#pteObject + page, Mode.WRITE);
      this.pte[page] = entry | (touched[kind] as number);
      return Walk.HIT;
    }
    monitor?.atomic(this.#pteObject + page, Mode.READ);
    // Not under the lock: the fault handler looks again under it.
    monitor?.atomic(this.#vmaObject, Mode.READ);
    const vma = this.#vmas.find(page);
    if (vma === undefined) return Walk.NO_MAPPING;
    const isAllowed = ((rightsOf(vma.prot) | Pte.PRESENT) & need) === need;
    return isAllowed ? Walk.NOT_PRESENT : Walk.NO_RIGHT;
  }

  #frameToInsert(page: number): PageIndex {
    const frame = this.#mm.frameOf?.(this.owner, page) ?? NONE;
    if (frame !== NONE) return frame;
    throw new InvariantViolation(`Page ${page} of owner ${this.owner} is mapped without an EPC page.`);
  }

  #reportEntries(start: number, end: number): void {
    const monitor = this.#mm.monitor;
    if (monitor === null) return;
    const last = Math.min(end, this.pte.length);
    for (let page = start; page < last; page++) monitor.atomic(this.#pteObject + page, Mode.WRITE);
  }

  #requireRange(thread: Thread, start: number, end: number): void {
    if (!this.#mm.lock.isHeldBy(thread)) {
      throw new InvariantViolation(`${thread.name} changes mappings without the address-space lock.`);
    }
    const isGood = Number.isInteger(start) && Number.isInteger(end) && start >= 0 && start <= end;
    if (isGood) return;
    throw new MisuseError('A range of pages must be two whole numbers, none negative, the end last.', [
      `given: pages ${start} … ${end}`,
    ]);
  }
}
