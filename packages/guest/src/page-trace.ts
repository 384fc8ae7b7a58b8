import { Access, MisuseError } from '@epckit/interface';

/** Runs of references, each to one page: columns of a decoded page trace. */
export interface PageTrace {
  /** Page of each run. */
  readonly page: Uint32Array;
  /** `Access` of each run. */
  readonly type: Uint8Array;
  /** References of each run. */
  readonly count: Uint32Array;
}

/** A working set that moves: what {@link phasedTrace} makes. */
export interface PhaseOptions {
  /** Pages that the program has. */
  readonly pages: number;
  /** Pages of the working set of one phase, from 1 to {@link pages}. */
  readonly workingSet: number;
  /** Phases; each has a working set that begins where that of the phase before ended. */
  readonly phases: number;
  /** Runs per phase. */
  readonly runsPerPhase: number;
  /** References per run. Default: 1000. */
  readonly referencesPerRun?: number;
  /** Seed, an integer. Default: 1. */
  readonly seed?: number;
}

/** Multiplier and increment of the generator that chooses pages (Numerical Recipes, `ranqd1`). */
const MULTIPLIER = 1664525;
const INCREMENT = 1013904223;
/** A write in every so many runs. */
const WRITE_EVERY = 4;

/**
 * A synthetic trace with phases: in each of them pages of a working set are chosen at random. The same options give
 * the same trace.
 *
 * @throws MisuseError for a working set that does not fit
 */
export function phasedTrace(options: PhaseOptions): PageTrace {
  const { pages, workingSet, phases, runsPerPhase, referencesPerRun = 1000, seed = 1 } = options;
  if (!(workingSet >= 1 && workingSet <= pages)) {
    throw new MisuseError('A working set has at least one page, and at most those of the program.', [
      `given: ${workingSet} of ${pages} pages`,
    ]);
  }
  const length = phases * runsPerPhase;
  const trace = {
    page: new Uint32Array(length),
    type: new Uint8Array(length),
    count: new Uint32Array(length),
  };
  let state = seed >>> 0;
  for (let run = 0; run < length; run++) {
    const first = Math.floor(run / runsPerPhase) * workingSet;
    state = (Math.imul(state, MULTIPLIER) + INCREMENT) >>> 0;
    trace.page[run] = (first + Math.floor((state / 2 ** 32) * workingSet)) % pages;
    trace.type[run] = run % WRITE_EVERY === 0 ? Access.WRITE : Access.READ;
    trace.count[run] = referencesPerRun;
  }
  return trace;
}
