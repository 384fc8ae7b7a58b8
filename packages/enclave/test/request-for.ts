import type { ReclaimRequest } from '@epckit/interface';

/** A request for pages of everybody. */
export function requestFor(maxPages: number): ReclaimRequest {
  return { target: 0, maxPages, isAgeIgnored: false, lookedAt: 0, evicted: 0 };
}
