/**
 * Dense integer names of the things that packages pass to each other.
 *
 * Everything is an index into typed arrays, never an address. Negative numbers are not ids: `-1` is "none"
 * and results below zero are negated {@link Errno} values.
 */

/** EPC page: dense index over all sections in discovery order, `0 … pageCount-1`. */
export type PageIndex = number;
/** Logical processor, `0 … cpuCount-1`. */
export type CpuId = number;
/** NUMA node id as the firmware numbers it. */
export type NodeId = number;
/** Address space (`struct mm_struct`). */
export type MmId = number;
/** Thread of the model: a user thread or a kernel thread. */
export type ThreadId = number;
/** Owner instance (an enclave, a vEPC file); its meaning belongs to the {@link OwnerKind}. */
export type OwnerId = number;
/** What an EPC page holds for its owner; its meaning belongs to the owner, see {@link PageOwner}. */
export type RecordId = number;
/**
 * Cgroup. `0` is the root and, as a target of reclaim, "everything"; a page that is charged to nobody has
 * {@link NONE}.
 */
export type GroupId = number;
/** List of EPC pages in a {@link FrameTable}; `0` is "on no list". */
export type ListId = number;

/** "No page", "no CPU", "no record": the one negative id. */
export const NONE = -1;

/** Bytes in one page; EPC pages, enclave pages and backing pages have the same size (SDM vol. 3D, 38.19). */
export const PAGE_SIZE_BYTES = 4096;

/**
 * Which kind of owner a page has: selects the {@link PageOwner} that the reclaimer talks to.
 *
 * Kinds from {@link OwnerKind.FIRST_CUSTOM} up are free for owners written outside this repository.
 */
export const OwnerKind = {
  /** free, dirty or leaked page */
  NONE: 0,
  /** native enclave driver */
  NATIVE: 1,
  /** KVM's virtual EPC */
  GUEST: 2,
  /** first number for owners written outside this repository */
  FIRST_CUSTOM: 8,
} as const;
/** Value of {@link OwnerKind} or a custom number below 256. */
export type OwnerKindId = number;

/** A set of CPUs that is filled by its holder and reused: no allocation per use. */
export interface CpuSet {
  /** Empties the set. */
  clear(): void;
  /** Adds `cpu`. */
  add(cpu: CpuId): void;
  /** Removes `cpu`. */
  delete(cpu: CpuId): void;
  /** Is `cpu` in the set? */
  has(cpu: CpuId): boolean;
  /** Adds every member of `other`. */
  addAll(other: CpuSet): void;
  /** Number of members. */
  readonly size: number;
  /** Smallest member `>= from`, or {@link NONE}; walk: `for (c = s.next(0); c >= 0; c = s.next(c + 1))`. */
  next(from: CpuId): CpuId;
}
