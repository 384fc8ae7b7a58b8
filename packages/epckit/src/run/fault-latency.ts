import type { OwnerId, ThreadId } from '@epckit/interface';
import type { MachineThread } from '@epckit/machine';
import { Histogram } from './histogram.js';
import type { FaultLatencies } from './report.js';

/** What made a page accessible. */
export type FaultKind = 'load' | 'eaug' | 'firstTouch';

/** Who is told of the faults of a program, and knows what its threads load. */
export interface FaultObserver {
  /** Loads (ELDU) and additions (EAUG) of pages that a thread has executed so far; the same object every time. */
  loadsOf(thread: ThreadId): {
    /** ELDU executed. */
    readonly eldu: number;
    /** EAUG executed. */
    readonly eaug: number;
  };
  /** An access begins to fault. */
  faultBegins(thread: MachineThread, owner: OwnerId, page: number): void;
  /** The access is done. `faults`: retries included. */
  faultEnds(thread: MachineThread, kind: FaultKind, faults: number): void;
}

/** Latencies by what the fault did. */
export type LatencyHistograms = Readonly<Record<FaultKind, Histogram>>;

/** Empty histograms. */
export function createLatencies(): LatencyHistograms {
  return { load: new Histogram(), eaug: new Histogram(), firstTouch: new Histogram() };
}

/** Adds all latencies of `from` to `to`. */
export function addLatencies(to: LatencyHistograms, from: LatencyHistograms): void {
  to.load.addAll(from.load);
  to.eaug.addAll(from.eaug);
  to.firstTouch.addAll(from.firstTouch);
}

/** What reports say of them. */
export function latencyReport({ load, eaug, firstTouch }: LatencyHistograms): FaultLatencies {
  return { load: load.summary(), eaug: eaug.summary(), firstTouch: firstTouch.summary() };
}
