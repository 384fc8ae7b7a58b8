import { relative, resolve } from 'node:path';
import { EpckitError } from '@epckit/interface';
import { isTraceError, loadTrace, type TraceError } from '@epckit/trace';
import type { TraceColumns } from 'epckit';
import type { LoadedScenario } from '../scenario/load-scenario.js';
import { generateTrace } from './generate-trace.js';

/** What checks need to know of a trace. */
export interface TraceSize {
  /** Number of runs. */
  readonly length: number;
  /** One entry per page. */
  readonly pageNumber: { readonly length: number };
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
  for (const [index, { trace }] of loaded.scenario.enclaves.entries()) {
    if (traces.has(trace)) continue;
    onFile(trace);
    traces.set(trace, await loadColumns(loaded, index, cwd));
  }
  checkRuns(loaded, traces);
  return traces;
}

/** Reads or makes the trace of one enclave. */
export async function loadColumns(
  { scenario, generators, folder, source }: LoadedScenario,
  index: number,
  cwd: string,
): Promise<TraceColumns> {
  const name = scenario.enclaves[index]?.trace as string;
  const generator = generators.get(name);
  if (generator !== undefined) return generateTrace(generator);
  const path = resolve(folder, name);
  try {
    return await loadTrace(path, { name: shownPath(path, cwd) });
  } catch (error) {
    const place = source.locate(['enclaves', index, 'trace']);
    throw isTraceError(error) ? atScenario(error, place) : error;
  }
}

/** Files that a scenario reads besides its own. */
export function traceFiles({ scenario, generators, folder }: LoadedScenario): string[] {
  const names = scenario.enclaves.map(({ trace }) => trace).filter((trace) => !generators.has(trace));
  return [...new Set(names)].map((name) => resolve(folder, name));
}

/** The error of the reader, which knows the trace, with the place in the scenario that named the trace. */
function atScenario(error: TraceError, place: string): EpckitError {
  const isMissing = error.code === 'EPCKIT_TRACE_NOT_FOUND';
  const hint = isMissing ? 'Check the path; it starts from the folder of the scenario file.' : error.hint;
  return new EpckitError(error.code, `${place}: ${error.message}`, [], { hint, cause: error });
}

/** Refuses to replay more runs than there are. @throws EpckitError `EPCKIT_SCENARIO` */
export function checkRuns(
  { scenario, source }: LoadedScenario,
  traces: ReadonlyMap<string, TraceSize>,
): void {
  for (const [index, { trace, runs }] of scenario.enclaves.entries()) {
    const available = traces.get(trace)?.length ?? 0;
    if (runs === null || runs <= available) continue;
    const place = source.locate(['enclaves', index, 'runs']);
    const message = `${place}: enclaves[${index}].runs is ${runs}, but the trace has ${available} runs.`;
    throw new EpckitError('EPCKIT_SCENARIO', message, [], {
      hint: 'Leave runs out to replay the whole trace; repeat replays it again.',
    });
  }
}

/** The shorter of the path from here and the full path; the folder we are in is `.`. */
function shownPath(path: string, cwd: string): string {
  const fromHere = relative(cwd, path) || '.';
  return fromHere.length < path.length ? fromHere : path;
}
