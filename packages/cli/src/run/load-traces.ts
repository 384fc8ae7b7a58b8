import { relative, resolve } from 'node:path';
import { EpckitError } from '@epckit/interface';
import { isTraceError, loadTrace, type TraceError } from '@epckit/trace';
import type { TraceColumns } from 'epckit';
import type { LoadedScenario } from '../scenario/load-scenario.js';

/**
 * Reads the trace of every enclave, each file once.
 *
 * A trace is read whole even if fewer runs are replayed: an enclave has all pages of its program from the
 * start, and what it has must not depend on how long one looks.
 *
 * @param cwd - folder that paths in messages start from
 * @param onFile - called with the name of each file before it is read
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
    const path = resolve(loaded.folder, trace);
    onFile(trace);
    traces.set(
      trace,
      await loadColumns(path, shownPath(path, cwd), loaded.source.locate(['enclaves', index, 'trace'])),
    );
  }
  checkRuns(loaded, traces);
  return traces;
}

async function loadColumns(path: string, name: string, place: string): Promise<TraceColumns> {
  try {
    return await loadTrace(path, { name });
  } catch (error) {
    throw isTraceError(error) ? atScenario(error, place) : error;
  }
}

/** The error of the reader, which knows the trace, with the place in the scenario that named the trace. */
function atScenario(error: TraceError, place: string): EpckitError {
  const isMissing = error.code === 'EPCKIT_TRACE_NOT_FOUND';
  const hint = isMissing ? 'Check the path; it starts from the folder of the scenario file.' : error.hint;
  return new EpckitError(error.code, `${place}: ${error.message}`, [], { hint, cause: error });
}

function checkRuns({ scenario, source }: LoadedScenario, traces: ReadonlyMap<string, TraceColumns>): void {
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
