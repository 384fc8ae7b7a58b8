import { resolve } from 'node:path';
import { EpckitError } from '@epckit/interface';
import { isTraceError, loadTrace, type TraceError } from '@epckit/trace';
import { guestTraceNames, scenarioTraces, type TraceColumns, traceNames } from 'epckit';
import { shownPath } from '../input-file.js';
import { formatPath, type KeyPath } from '../scenario/key-path.js';
import type { LoadedScenario } from '../scenario/load-scenario.js';
import { generateTrace } from './generate-trace.js';

/** What checks need to know of a trace. */
export interface TraceSize {
  /** Number of runs. */
  readonly length: number;
  /** Virtual page number of each page. */
  readonly pageNumber: Float64Array;
}

/** A key of a scenario that names a trace. */
export interface TraceUse {
  /** The trace by the name that the scenario uses. */
  readonly trace: string;
  /** Path of the key. */
  readonly path: KeyPath;
}

/** All keys that name a trace, each trace once. */
export function traceUses(loaded: LoadedScenario): readonly TraceUse[] {
  const { scenario, entries } = loaded;
  const uses = scenario.enclaves.flatMap(({ trace, moreThreads = [] }, index): TraceUse[] => {
    const enclave = ['enclaves', entries[index] as number];
    if (moreThreads.length === 0) return [{ trace, path: [...enclave, 'trace'] }];
    const names = [trace, ...moreThreads.map((thread) => thread.trace)];
    return names.map((name, thread) => ({ trace: name, path: [...enclave, 'threads', thread, 'trace'] }));
  });
  uses.push(...guestTraceUses(loaded));
  return uses.filter(({ trace }, at) => uses.findIndex((other) => other.trace === trace) === at);
}

function guestTraceUses({ scenario, vmEntries }: LoadedScenario): readonly TraceUse[] {
  return (scenario.vms ?? []).flatMap(({ enclaves }, index) =>
    enclaves.flatMap(({ trace, moreThreads = [], enterCycles }, at): TraceUse[] => {
      const enclave = ['vms', vmEntries[index] as number, 'enclaves', at];
      // Only a list of threads says when the first one enters.
      if (enterCycles === undefined) return [{ trace, path: [...enclave, 'trace'] }];
      const names = [trace, ...moreThreads.map((thread) => thread.trace)];
      return names.map((name, thread) => ({ trace: name, path: [...enclave, 'threads', thread, 'trace'] }));
    }),
  );
}

/**
 * Reads or makes the trace of every enclave, each file once.
 *
 * A trace is read whole even if fewer runs are replayed: an enclave has all pages of its program from the
 * start, and what it has must not depend on how long one looks.
 *
 * @param cwd - folder that paths in messages start from
 * @param onFile - called with the name of each trace before it is read
 * @returns columns by the name that the scenario uses
 * @throws EpckitError with the code of the trace reader, at the key that names the file; `EPCKIT_SCENARIO` if
 *   more runs are asked for than there are
 */
export async function loadTraces(
  loaded: LoadedScenario,
  cwd: string,
  onFile: (name: string) => void,
): Promise<ReadonlyMap<string, TraceColumns>> {
  const traces = new Map<string, TraceColumns>();
  for (const use of traceUses(loaded)) {
    onFile(use.trace);
    traces.set(use.trace, await loadColumns(loaded, use, cwd));
  }
  checkRuns(loaded, traces);
  return traces;
}

/** Reads or makes one trace. */
export async function loadColumns(
  { generators, folder, source }: LoadedScenario,
  { trace: name, path: key }: TraceUse,
  cwd: string,
): Promise<TraceColumns> {
  const generator = generators.get(name);
  if (generator !== undefined) return generateTrace(generator);
  const path = resolve(folder, name);
  try {
    return await loadTrace(path, { name: shownPath(path, cwd) });
  } catch (error) {
    const place = source.locate(key);
    throw isTraceError(error) ? atScenario(error, place) : error;
  }
}

/** Files that a scenario reads besides its own. */
export function inputFiles({ scenario, generators, folder }: LoadedScenario): string[] {
  const names = scenarioTraces(scenario).filter((trace) => !generators.has(trace));
  const { file } = scenario.costs;
  if (typeof file === 'string') names.push(file);
  return [...new Set(names)].map((name) => resolve(folder, name));
}

/** The error of the reader, which knows the trace, with the place in the scenario that named the trace. */
function atScenario(error: TraceError, place: string): EpckitError {
  const isMissing = error.code === 'EPCKIT_TRACE_NOT_FOUND';
  const hint = isMissing ? 'Check the path; it starts from the folder of the scenario file.' : error.hint;
  return new EpckitError(error.code, `${place}: ${error.message}`, [], { hint, cause: error });
}

/** Refuses to replay more runs than there are. @throws EpckitError `EPCKIT_SCENARIO` */
export function checkRuns(loaded: LoadedScenario, traces: ReadonlyMap<string, TraceSize>): void {
  for (const { runs, names, path } of runUses(loaded)) {
    const available = Math.min(...names.map((trace) => traces.get(trace)?.length ?? 0));
    if (runs === null || runs <= available) continue;
    const message = `${loaded.source.locate(path)}: ${formatPath(path)} is ${runs}, but the trace has ${available} runs.`;
    throw new EpckitError('EPCKIT_SCENARIO', message, [], {
      hint: 'Leave runs out to replay the whole trace; repeat replays it again.',
    });
  }
}

/** How many runs of which traces are replayed, and where the scenario says so. */
interface RunUse {
  readonly runs: number | null;
  readonly names: readonly string[];
  readonly path: KeyPath;
}

function runUses({ scenario, entries, vmEntries }: LoadedScenario): readonly RunUse[] {
  const native = scenario.enclaves.map((enclave, index): RunUse => {
    const path = ['enclaves', entries[index] as number, 'runs'];
    return { runs: enclave.runs, names: traceNames(enclave), path };
  });
  const guests = (scenario.vms ?? []).flatMap(({ enclaves }, index) =>
    enclaves.map((enclave, at): RunUse => {
      const path = ['vms', vmEntries[index] as number, 'enclaves', at, 'runs'];
      return { runs: enclave.runs, names: guestTraceNames(enclave), path };
    }),
  );
  return [...native, ...guests];
}
