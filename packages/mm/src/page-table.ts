import type {
  AccessKind,
  AccessMonitor,
  MmId,
  ObjectRegistry,
  Op,
  OwnerId,
  PageTable,
  Probe,
  RwLock,
  Thread,
  Vma,
  WalkResult,
} from '@epckit/interface';
import { InvariantViolation, MisuseError, Mode, op, Pte, pteNeeds, Walk } from '@epckit/interface';
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
}

/** Mappings and page-table bytes of one owner in one address space. */
export class BytePageTable implements PageTable {
  readonly owner: OwnerId;
  readonly pte: Uint8Array;
  readonly #mm: PageTableHost;
  readonly #vmas = new VmaList();
  readonly #pteObject: number;
  readonly #vmaObject: number;

  constructor(owner: OwnerId, pageCount: number, mm: PageTableHost) {
    this.owner = owner;
    this.pte = new Uint8Array(pageCount);
    this.#mm = mm;
    this.#pteObject = mm.objects.range(`mm${mm.id}.pte of owner ${owner}`, pageCount);
    this.#vmaObject = mm.objects.range(`mm${mm.id}.vmas of owner ${owner}`, 1);
  }

  pteAt(page: number): Op {
    return op(this.#pteObject + page, Mode.WRITE);
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
    this.#mm.monitor?.write(this.#vmaObject);
    this.#vmas.remove(start, end);
    this.pte.fill(0, start, end);
    this.#reportEntries(start, end);
  }

  protect(thread: Thread, start: number, end: number, prot: number): boolean {
    this.#requireRange(thread, start, end);
    this.#mm.monitor?.write(this.#vmaObject);
    const hole = this.#vmas.firstHole(start, end);
    this.#vmas.set(start, hole, prot);
    const rights = rightsOf(prot);
    for (let page = start; page < hole; page++) {
      const entry = this.pte[page] as number;
      if (entry !== 0) this.pte[page] = (entry & ~RIGHTS_MASK) | rights;
    }
    this.#reportEntries(start, hole);
    return hole === end;
  }

  copyFrom(thread: Thread, parent: PageTable): void {
    this.#requireRange(thread, 0, parent.pte.length);
    this.#mm.monitor?.write(this.#vmaObject);
    for (const vma of parent.vmas) this.#vmas.set(vma.start, vma.end, vma.prot);
    for (let page = 0; page < parent.pte.length; page++) {
      this.pte[page] = (parent.pte[page] as number) & ~(Pte.ACCESSED | Pte.DIRTY);
    }
    this.#reportEntries(0, parent.pte.length);
  }

  insert(_thread: Thread, page: number): boolean {
    this.#mm.monitor?.atomic(this.#pteObject + page, Mode.WRITE);
    if (this.pte[page] !== 0) return false;
    const vma = this.vmaOf(page);
    if (vma === undefined) throw new InvariantViolation(`Page ${page} of owner ${this.owner} is not mapped.`);
    this.pte[page] = Pte.PRESENT | rightsOf(vma.prot) | Pte.ACCESSED;
    return true;
  }

  zap(thread: Thread, page: number): boolean {
    this.#mm.monitor?.atomic(this.#pteObject + page, Mode.WRITE);
    if (!this.pte[page]) return false;
    this.pte[page] = 0;
    this.#mm.probe?.pteZapped(thread.id, this.owner, page, this.#mm.id);
    return true;
  }

  testAndClearYoung(_thread: Thread, page: number): boolean {
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

  #reportEntries(start: number, end: number): void {
    const monitor = this.#mm.monitor;
    if (monitor === null) return;
    for (let page = start; page < end; page++) monitor.atomic(this.#pteObject + page, Mode.WRITE);
  }

  #requireRange(thread: Thread, start: number, end: number): void {
    if (!this.#mm.lock.isHeldBy(thread)) {
      throw new InvariantViolation(`${thread.name} changes mappings without the address-space lock.`);
    }
    const isGood = Number.isInteger(start) && Number.isInteger(end) && start >= 0 && start <= end;
    if (isGood && end <= this.pte.length) return;
    throw new MisuseError('The range is not within the owner.', [
      `given: pages ${start} … ${end}`,
      `allowed: within 0 … ${this.pte.length}`,
    ]);
  }
}
