import type { PagingBlob } from '@epckit/interface';

/** A blob of zeros, to be reused. */
export function emptyBlob(): PagingBlob {
  return { contents: 0, secinfo: 0, enclaveId: 0, linearPage: 0, macLow: 0, macHigh: 0 };
}
