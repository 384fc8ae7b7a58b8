import type { CpuId } from '@epckit/interface';
import type { PageMapping } from '../translate.js';

/**
 * Memory as instructions reach it: linear addresses, translated by page tables that belong to the implementation.
 *
 * The enclave's pages are there at their linear addresses; leaves of the kernel reach the same EPC pages through any
 * other mapping, such as a direct window. Implementations never fault: they say what is mapped, and the processor
 * decides. `read` and `write` are called only for ordinary memory that `lookup` has found, within one page.
 */
export interface LinearMemory {
  /** What page tables say about a linear page (address / 4096); null: not present. */
  lookup(cpu: CpuId, linearPage: number): PageMapping | null;
  /** Copies bytes of ordinary memory. */
  read(cpu: CpuId, address: bigint, sizeBytes: number): Uint8Array;
  /** Replaces bytes of ordinary memory. */
  write(cpu: CpuId, address: bigint, bytes: Uint8Array): void;
}

/** Page number of a linear address. */
export function linearPageOf(address: bigint): number {
  return Number(address >> 12n);
}

/** Offset of a linear address in its page. */
export function offsetOf(address: bigint): number {
  return Number(address & 0xfffn);
}

/** Is a linear address canonical for processors with so many address bits? */
export function isCanonical(address: bigint, linearAddressBits: number): boolean {
  return BigInt.asUintN(64, BigInt.asIntN(linearAddressBits, address)) === address;
}
