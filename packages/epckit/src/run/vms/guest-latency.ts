import type { LatencySummary } from '../histogram.js';
import { Histogram } from '../histogram.js';

/** What it took to make a page of a guest's enclave accessible. */
export type GuestFaultKind = 'load' | 'host' | 'firstTouch';

/**
 * Latencies of accesses of a guest's enclave that faulted, as the guest feels them: from the exit out of the enclave until
 * the page is accessible and the thread inside again. Whatever the host does meanwhile is part of it.
 */
export interface GuestFaultLatencies {
  /** The guest's kernel loaded the page back (ELDU). */
  readonly load: LatencySummary;
  /** The guest's kernel had the page; only the host had to act (EPT violation). */
  readonly host: LatencySummary;
  /** The page was in the guest's EPC, or came there by another thread: its page-table entry was missing. */
  readonly firstTouch: LatencySummary;
}

/** Latencies by what the fault did. */
export type GuestLatencyHistograms = Readonly<Record<GuestFaultKind, Histogram>>;

/** Empty histograms. */
export function createGuestLatencies(): GuestLatencyHistograms {
  return { load: new Histogram(), host: new Histogram(), firstTouch: new Histogram() };
}

/** Adds all latencies of `from` to `to`. */
export function addGuestLatencies(to: GuestLatencyHistograms, from: GuestLatencyHistograms): void {
  to.load.addAll(from.load);
  to.host.addAll(from.host);
  to.firstTouch.addAll(from.firstTouch);
}

/** What reports say of them. */
export function guestLatencyReport({ load, host, firstTouch }: GuestLatencyHistograms): GuestFaultLatencies {
  return { load: load.summary(), host: host.summary(), firstTouch: firstTouch.summary() };
}
