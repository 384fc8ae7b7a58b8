import type { RunEvent, Scenario } from 'epckit';
import type { OutputStream } from '../output-file.js';

/** Writes the events of a run to a file, one after the other. */
export interface EventLog {
  /** Writes one event. */
  add(event: RunEvent): void;
  /** Completes the file. */
  end(): void;
  /** Drops what was written. */
  discard(): void;
}

/** Does the name of a file ask for the format that Perfetto and chrome://tracing read? */
function isChromeTrace(name: string): boolean {
  return name.endsWith('.trace.json');
}

/**
 * Starts a log: Chrome's trace-event format if the name asks for it, else NDJSON, whose first line says what
 * ran and whose others are an event each.
 */
export function createEventLog(name: string, stream: OutputStream, scenario: Scenario): EventLog {
  return isChromeTrace(name) ? chromeTrace(stream, scenario) : ndjson(stream, scenario);
}

function ndjson(stream: OutputStream, scenario: Scenario): EventLog {
  const { name, seed, costs } = scenario;
  const head = { format: 'epckit-events-1', scenario: name, seed, clockGhz: costs.clockGhz };
  stream.write(`${JSON.stringify(head)}\n`);
  return {
    add({ cycle, cpu, threadName, name: event, phase, facts }) {
      stream.write(`${JSON.stringify({ cycle, cpu, thread: threadName, event, phase, ...facts })}\n`);
    },
    end: () => stream.end(),
    discard: () => stream.discard(),
  };
}

const chromePhases = { begin: 'B', end: 'E', point: 'i' } as const;
/** The model is one process. */
const PID = 1;

function chromeTrace(stream: OutputStream, scenario: Scenario): EventLog {
  const cyclesPerMicrosecond = scenario.costs.clockGhz * 1000;
  const named = new Set<number>();
  const other = { format: 'epckit-events-1', scenario: scenario.name, seed: scenario.seed };
  stream.write(`{"displayTimeUnit":"ns","otherData":${JSON.stringify(other)},"traceEvents":[\n`);
  stream.write(JSON.stringify({ ph: 'M', pid: PID, name: 'process_name', args: { name: scenario.name } }));
  const line = (event: object) => stream.write(`,\n${JSON.stringify(event)}`);
  const nameThread = ({ thread: tid, cpu, threadName }: RunEvent) => {
    named.add(tid);
    const args = { name: `${threadName} on CPU ${cpu}` };
    line({ ph: 'M', pid: PID, tid, name: 'thread_name', args });
  };
  return {
    add(event) {
      const { cycle, thread: tid, name, phase, facts } = event;
      if (!named.has(tid)) nameThread(event);
      const ts = cycle / cyclesPerMicrosecond;
      const ph = chromePhases[phase];
      const scope = phase === 'point' ? { s: 't' } : {};
      const title = typeof facts['leaf'] === 'string' ? facts['leaf'] : name;
      line({ ph, ts, pid: PID, tid, name: title, cat: name, ...scope, args: facts });
      if (typeof facts['freePages'] === 'number') {
        line({ ph: 'C', ts, pid: PID, name: 'free EPC pages', args: { pages: facts['freePages'] } });
      }
    },
    end() {
      stream.write('\n]}\n');
      stream.end();
    },
    discard: () => stream.discard(),
  };
}
