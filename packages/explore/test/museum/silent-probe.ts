import type { Probe } from '@epckit/interface';

/** Hears nothing; tests override what they listen to. */
export const silentProbe: Probe = {
  leaf() {},
  pageAllocated() {},
  pageFreed() {},
  reclaimVerdict() {},
  batchEnded() {},
  daemonWoken() {},
  daemonRuns() {},
  faultHandled() {},
  pteZapped() {},
  aged() {},
  ipiSent() {},
  backingDropped() {},
  lockContended() {},
  warned() {},
};
