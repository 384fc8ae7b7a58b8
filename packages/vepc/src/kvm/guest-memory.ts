import type { VepcAddress } from '../address.js';

/** Guest-physical address, or the fault of the guest's own page tables. */
export type GuestTranslation =
  | {
      /** Guest-physical address in bytes. */
      readonly physical: bigint;
    }
  | {
      /** Vector of the fault: 13 or 14. */
      readonly vector: number;
      /** Its error code. */
      readonly errorCode: number;
      /** Address for CR2, or null if this is no #PF. */
      readonly address: bigint | null;
    };

/** Memory of a guest as KVM reaches it while it emulates an instruction. All calls are plain. */
export interface GuestMemory {
  /** Walk of the guest's page tables at a linear address. */
  translate(linear: bigint, isWrite: boolean): GuestTranslation;
  /**
   * What lies behind a guest-physical address: ordinary memory, a page of EPC, or null: no memory slot covers it.
   */
  slot(physical: bigint): 'memory' | VepcAddress | null;
  /** Copies ordinary memory within one page. @returns null: it cannot be read */
  read(physical: bigint, sizeBytes: number): Uint8Array | null;
}
