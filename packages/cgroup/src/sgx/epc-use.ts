import type { OwnerKindId, RecordId } from '@epckit/interface';

/** What an EPC page is used for, as far as accounting and victim search care. */
export const EpcUse = {
  /** page of an enclave's range: reclaimable */
  REGULAR: 0,
  /** control structure of an enclave: goes when its last child goes */
  SECS: 1,
  /** version array: never written out */
  VERSION_ARRAY: 2,
  /** page of a guest (virtual EPC): not reclaimable by the host's native path */
  VIRTUAL: 3,
} as const;
/** Value of {@link EpcUse}. */
export type EpcUseId = (typeof EpcUse)[keyof typeof EpcUse];

/** Names for reports, by {@link EpcUse}. */
export const epcUseNames = ['regular', 'secs', 'va', 'vepc'] as const;

/** Tells what a page is used for. Records mean something to their owner only, so composition says it. Plain. */
export type EpcUseOf = (kind: OwnerKindId, record: RecordId) => EpcUseId;

/** Pages by use. */
export interface EpcUsage {
  /** Pages of enclave ranges. */
  regular: number;
  /** Control structures. */
  secs: number;
  /** Version arrays. */
  va: number;
  /** Pages of guests. */
  vepc: number;
}
