import type { AccessKind } from './hardware.js';
import type { CpuId, CpuSet, MmId, OwnerId, PageIndex } from './ids.js';
import type { RefCount, RwLock } from './lock.js';
import type { Op, Thread } from './routine.js';

/** Bits of a protection (POSIX `PROT_*` order of the SECINFO permissions). */
export const Prot = {
  /** may be read */
  R: 1,
  /** may be written */
  W: 2,
  /** may be executed */
  X: 4,
} as const;

/** Bits of a page-table byte. A zero byte is "not present". */
export const Pte = {
  /** the page is there */
  PRESENT: 1,
  /** reading is allowed */
  R: 2,
  /** writing is allowed */
  W: 4,
  /** executing is allowed */
  X: 8,
  /** set at each access; ageing clears it */
  ACCESSED: 16,
  /** set at each write */
  DIRTY: 32,
} as const;

/** Bits of a page-table byte that an access of a kind needs, indexed by {@link AccessKind}. */
export const pteNeeds: readonly number[] = Object.freeze([
  Pte.PRESENT | Pte.R,
  Pte.PRESENT | Pte.W,
  Pte.PRESENT | Pte.X,
]);

/** Shared mapping of an owner's range. Pages are numbers relative to the owner's base. */
export interface Vma {
  /** First page, relative to the owner's base. */
  readonly start: number;
  /** Page after the last. */
  readonly end: number;
  /** Bits of {@link Prot}. */
  readonly prot: number;
  /** The owner does not know of this mapping (Linux: no `vm_private_data`): each fault in it is SIGBUS. */
  readonly isOrphan?: boolean;
}

/**
 * Page-table bytes of one owner in one address space: one byte per page of the owner's range. The bytes are
 * shared with the hit path, which tests and sets bits in place.
 */
export interface PageTable {
  /** Owner that is mapped. */
  readonly owner: OwnerId;
  /** {@link Pte} byte per page. */
  readonly pte: Uint8Array;
  /** Op to yield before touching the entry of a page: its byte and the EPC page in it. */
  pteAt(page: number): Op;
  /**
   * EPC page that the present entry of `page` names, or `-1` if no entry is present. It is what was inserted,
   * whatever has become of the EPC page since. In the step of a walk it belongs to that walk.
   */
  frame(page: number): PageIndex;
  /** Mapping that covers `page`, or undefined. */
  vmaOf(page: number): Vma | undefined;
  /** Mappings in ascending order. */
  readonly vmas: readonly Vma[];
  /** Replaces what is mapped in the range. Address-space lock held for writing. */
  map(thread: Thread, start: number, end: number, prot: number): void;
  /** Removes mappings and entries of the range. Address-space lock held for writing. */
  unmap(thread: Thread, start: number, end: number): void;
  /**
   * Changes the protection of the mapped pages of the range up to its first hole (Linux `mprotect`); present
   * entries get the new rights. Address-space lock held for writing.
   *
   * @returns false if the range has a hole (`-ENOMEM` of the system call)
   */
  protect(thread: Thread, start: number, end: number, prot: number): boolean;
  /** Marks the mapping that covers `page` as {@link Vma.isOrphan}. Address-space lock held for writing. */
  orphan(thread: Thread, page: number): void;
  /** Takes over mappings and entries of `parent`, neither young nor dirty (fork). Lock held for writing. */
  copyFrom(thread: Thread, parent: PageTable): void;
  /**
   * Makes `page` present with the rights of its mapping, young; nothing changes if it is present.
   *
   * @returns false if the entry was there already, which is no failure (Linux `vmf_insert_pfn`)
   */
  insert(thread: Thread, page: number): boolean;
  /** Removes the entry of `page`, flushing TLBs. @returns true if it was present */
  zap(thread: Thread, page: number): boolean;
  /** Clears the accessed bit. @returns whether it was set */
  testAndClearYoung(thread: Thread, page: number): boolean;
}

/** Outcome of an access to the page table, before the EPCM is asked. */
export const Walk = {
  /** the entry allows the access */
  HIT: 0,
  /** a mapping allows the access, the entry is missing: page fault */
  NOT_PRESENT: 1,
  /** no mapping covers the page */
  NO_MAPPING: 2,
  /** the mapping does not allow the access */
  NO_RIGHT: 3,
} as const;
/** Value of {@link Walk}. */
export type WalkResult = (typeof Walk)[keyof typeof Walk];

/** Address space of a process (`struct mm_struct`). */
export interface AddressSpace {
  /** Dense id. */
  readonly id: MmId;
  /** The mmap lock. */
  readonly lock: RwLock;
  /** Users (`mm_users`): zero means that the address space is being torn down. */
  readonly users: RefCount;
  /** CPUs that have this address space loaded. */
  readonly cpus: CpuSet;
  /** Op to yield before reading {@link cpus}. */
  readonly cpusReading: Op;
  /** Op to yield before {@link load} and {@link unload}. */
  readonly cpusWriting: Op;
  /** A CPU switches to this address space. */
  load(cpu: CpuId): void;
  /** A CPU switches away from this address space. */
  unload(cpu: CpuId): void;
  /** Page table of an owner, made on first use. `pageCount`: pages of the owner's range. */
  tableFor(owner: OwnerId, pageCount: number): PageTable;
  /** Page table of an owner, or undefined if it was never mapped. */
  table(owner: OwnerId): PageTable | undefined;
  /** Page tables in order of their first use. */
  tables(): Iterable<PageTable>;
  /** Forgets the page table of an owner that is gone. */
  forget(owner: OwnerId): void;
  /** Takes over every table of `parent` (fork); owners then learn of the new address space themselves. */
  copyFrom(thread: Thread, parent: AddressSpace): void;
  /** Walks the page table for one access; sets accessed and dirty bits on a hit. */
  walk(owner: OwnerId, page: number, kind: AccessKind): WalkResult;
}
