import type { BackingStore, PageLoader, PageWriter, VersionSlots } from '@epckit/interface';

/** Where the pages of one enclave go, and how. */
export interface EnclavePaging {
  /** Version slots of the enclave. */
  readonly slots: VersionSlots;
  /** Where its evicted pages live. */
  readonly backing: BackingStore;
  /** How a page leaves the EPC. */
  readonly writeBack: PageWriter;
  /** How a page comes back. */
  readonly loadBack: PageLoader;
}
