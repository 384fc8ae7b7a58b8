import type { CpuId, PageIndex } from '@epckit/interface';
import { SecInfo } from '@epckit/interface';
import { HardwareMisuse } from '../errors.js';
import type { PageMapping } from '../translate.js';
import type { LinearMemory } from './memory.js';
import { linearPageOf, offsetOf } from './memory.js';

const PAGE_BYTES = 4096;
const ALL_RIGHTS = SecInfo.R | SecInfo.W | SecInfo.X;
/** Any negative page stands for ordinary memory. */
const ORDINARY = -1;

/** Shape of a {@link FlatMemory}. */
export interface FlatMemoryOptions {
  /** EPC pages that the window shows. */
  readonly pageCount: number;
  /** Linear address of EPC page 0 in the window, page-aligned. */
  readonly windowBase: bigint;
}

/**
 * One address space for all processors: a window on the whole EPC, and single pages that are mapped to ordinary memory
 * or to EPC pages. For tests, examples and small models; nothing is ever swapped out.
 */
export class FlatMemory implements LinearMemory {
  readonly #windowPage: number;
  readonly #pageCount: number;
  readonly #windowBase: bigint;
  readonly #mappings = new Map<number, PageMapping>();
  readonly #pages = new Map<number, Uint8Array>();

  /** @throws HardwareMisuse for a window that is not page-aligned */
  constructor({ pageCount, windowBase }: FlatMemoryOptions) {
    requireAligned(windowBase);
    this.#windowBase = windowBase;
    this.#windowPage = linearPageOf(windowBase);
    this.#pageCount = pageCount;
  }

  /** Address of an EPC page in the window. */
  epcAddress(page: PageIndex): bigint {
    return this.#windowBase + BigInt(page) * 4096n;
  }
  /** Maps a page of ordinary memory, filled with zeros if it is new. @throws HardwareMisuse if not page-aligned */
  mapOrdinary(address: bigint, rights: number = ALL_RIGHTS): void {
    requireAligned(address);
    const page = linearPageOf(address);
    this.#mappings.set(page, { page: ORDINARY, rights });
    if (!this.#pages.has(page)) this.#pages.set(page, new Uint8Array(PAGE_BYTES));
  }
  /** Maps an EPC page. @throws HardwareMisuse if not page-aligned */
  mapEpc(address: bigint, page: PageIndex, rights: number = ALL_RIGHTS): void {
    requireAligned(address);
    this.#mappings.set(linearPageOf(address), { page, rights });
  }
  /** Takes a mapping away; bytes of ordinary memory stay for the next mapping. */
  unmap(address: bigint): void {
    this.#mappings.delete(linearPageOf(address));
  }

  lookup(_cpu: CpuId, linearPage: number): PageMapping | null {
    const mapping = this.#mappings.get(linearPage);
    if (mapping !== undefined) return mapping;
    const page = linearPage - this.#windowPage;
    return page >= 0 && page < this.#pageCount ? { page, rights: ALL_RIGHTS } : null;
  }
  read(_cpu: CpuId, address: bigint, sizeBytes: number): Uint8Array {
    const offset = offsetOf(address);
    return this.#bytesOf(address).slice(offset, offset + sizeBytes);
  }
  write(_cpu: CpuId, address: bigint, bytes: Uint8Array): void {
    this.#bytesOf(address).set(bytes, offsetOf(address));
  }

  #bytesOf(address: bigint): Uint8Array {
    const bytes = this.#pages.get(linearPageOf(address));
    if (bytes !== undefined) return bytes;
    throw new HardwareMisuse(
      'There is no ordinary memory at this address.',
      [`given: 0x${address.toString(16)}`],
      'Map it with mapOrdinary first.',
    );
  }
}

function requireAligned(address: bigint): void {
  if (address % 4096n === 0n) return;
  throw new HardwareMisuse(
    'Memory is mapped in whole pages.',
    [`given: 0x${address.toString(16)}`],
    'Give an address that is a multiple of 4096.',
  );
}
