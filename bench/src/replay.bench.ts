/**
 * Replay of the recorded scripts of packages/epckit/test/golden: steps per second over all, and per script time and
 * events per step.
 *
 * A script may take as long as its size explains: composing a stack, the EPC pages (sanitized one by one), steps, and
 * events. These four prices are fitted to all scripts by least squares of the relative error; scripts that take more
 * than twice what the fit says are printed. Nothing is checked but a warning: time on a shared machine proves little.
 *
 * Reading and parsing are not part of it, nor is the comparison with the expected records. Processor time, best
 * of the rounds: other work on the machine only adds.
 */
import { readdirSync, readFileSync } from 'node:fs';
import type { Script } from 'epckit';
import { replayScript } from 'epckit';

const ROUNDS = 9;
const WARM_UP = 2;
const SLOW = 2;
const folder = new URL('../../packages/epckit/test/golden/', import.meta.url);

interface Measured {
  readonly name: string;
  readonly script: Script;
  readonly steps: number;
  readonly pages: number;
  events: number;
  readonly ms: number[];
}

/** All scripts but those whose machine has no EPC: nothing is composed for them. */
function loadScripts(): Measured[] {
  const names = readdirSync(folder).filter((name) => name.endsWith('.json'));
  const scripts = names.sort().map((name) => {
    const script = JSON.parse(readFileSync(new URL(name, folder), 'utf8')) as Script;
    const pages = script.machine.sections.reduce((sum, section) => sum + section.pages, 0);
    const { length: steps } = script.steps;
    return { name: name.replace('.json', ''), script, steps, pages, events: 0, ms: [] };
  });
  return scripts.filter(({ pages }) => pages > 0);
}

/** Events of a record, with those of steps that ran in the middle of it. A measured page is one event of 16 leaves. */
function eventsOf(record: unknown): number {
  const { ev = [] } = record as { ev?: unknown[][] };
  let events = 0;
  for (const event of ev) {
    if (event[0] === 'STEP') events += eventsOf(event[1]);
    else events += event[0] === 'EEXTEND' ? (event[5] as number) : 1;
  }
  return events;
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** Short scripts are replayed several times in one measurement. */
function replay(measured: Measured, isCounted: boolean): void {
  const times = Math.max(1, Math.ceil(500 / measured.steps));
  const begin = cpuMs();
  for (let time = 0; time < times; time++) {
    let events = 0;
    for (const { record, unsupported } of replayScript(measured.script)) {
      if (unsupported !== undefined && measured.pages > 0)
        throw new Error(`${measured.name}: ${unsupported}`);
      events += eventsOf(record);
    }
    measured.events = events;
  }
  if (isCounted) measured.ms.push((cpuMs() - begin) / times);
}

/** Solves a small linear system by Gauss-Jordan elimination. */
function solve(rows: number[][]): number[] {
  const { length } = rows;
  for (let column = 0; column < length; column++) {
    const pivot = rows.slice(column).reduce((a, b) => {
      return Math.abs(a[column] as number) >= Math.abs(b[column] as number) ? a : b;
    });
    rows.splice(rows.indexOf(pivot), 1);
    rows.splice(column, 0, pivot);
    const divisor = pivot[column] as number;
    for (let i = 0; i <= length; i++) pivot[i] = (pivot[i] as number) / divisor;
    for (const row of rows) {
      if (row === pivot) continue;
      const factor = row[column] as number;
      for (let i = 0; i <= length; i++) row[i] = (row[i] as number) - factor * (pivot[i] as number);
    }
  }
  return rows.map((row) => row[length] as number);
}

/** Prices of a stack, an EPC page, a step and an event, so that the sum of squared relative errors is least. */
function fit(scripts: readonly Measured[]): number[] {
  const rows = [0, 1, 2, 3].map(() => [0, 0, 0, 0, 0]);
  for (const measured of scripts) {
    const time = Math.min(...measured.ms);
    const size = sizeOf(measured).map((count) => count / time);
    for (const [i, row] of rows.entries()) {
      for (const [j, other] of [...size, 1].entries()) {
        row[j] = (row[j] as number) + (size[i] as number) * other;
      }
    }
  }
  return solve(rows);
}

function sizeOf({ pages, steps, events }: Measured): number[] {
  return [1, pages, steps, events];
}

const scripts = loadScripts();
for (let round = 0; round < WARM_UP + ROUNDS; round++) {
  for (const measured of scripts) replay(measured, round >= WARM_UP);
}
const prices = fit(scripts);
const lines = scripts.map((measured) => {
  const { name, steps, events, pages, ms } = measured;
  const time = Math.min(...ms);
  const explained = sizeOf(measured).reduce((sum, count, i) => sum + count * (prices[i] as number), 0);
  return { name, steps, events, pages, time, ratio: time / explained };
});
for (const { name, steps, events, time, ratio } of lines) {
  const columns = [
    name.padEnd(28),
    `${steps} steps`.padStart(11),
    `${Math.round((time * 1e6) / steps)} ns/step`.padStart(15),
    `${(events / steps).toFixed(1)} events/step`.padStart(18),
    `${ratio.toFixed(2)} of the fit`.padStart(16),
  ];
  console.log(columns.join(' '));
}
const sum = (of: (line: (typeof lines)[number]) => number): number =>
  lines.reduce((all, line) => all + of(line), 0);
const totalMs = sum(({ time }) => time);
console.log(
  JSON.stringify({
    bench: 'replay',
    scripts: lines.length,
    steps: sum(({ steps }) => steps),
    events: sum(({ events }) => events),
    ms: Math.round(totalMs),
    stepsPerSecond: Math.round((sum(({ steps }) => steps) / totalMs) * 1000),
    eventsPerSecond: Math.round((sum(({ events }) => events) / totalMs) * 1000),
    nsPerStackPageStepEvent: prices.map((price) => Math.round(price * 1e6)),
    slowerThanTheirSizeExplains: lines
      .filter(({ ratio }) => ratio > SLOW)
      .map(({ name, ratio }) => `${name}: ${ratio.toFixed(2)} times`),
  }),
);
