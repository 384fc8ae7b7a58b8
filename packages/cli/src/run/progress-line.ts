import type { TextSink } from '../io.js';
import { formatCount } from './number-format.js';

const BAR_WIDTH = 30;
const ERASE_LINE = '\r\u001b[K';

/** One line of a terminal that tells how far a run is; silent where there is no terminal. */
export interface ProgressLine {
  /** Shows a text in place of what was there. */
  say(text: string): void;
  /** Shows a bar; draws only when the percentage has changed, so it may be called often. */
  advance(done: number, total: number, noun?: string): void;
  /** Erases the line. */
  clear(): void;
}

const silent: ProgressLine = { say() {}, advance() {}, clear() {} };

/**
 * Makes a progress line.
 *
 * Draws when it is told, never from a timer: a simulation is one long synchronous call, during which no timer
 * fires (and a terminal library that draws from one would show nothing).
 *
 * @param sink - where to draw; nothing is written unless it is a terminal
 */
export function createProgressLine(sink: TextSink, isQuiet: boolean): ProgressLine {
  if (isQuiet || sink.isTTY !== true) return silent;
  // Some terminals report a width of 0.
  const width = (sink.columns || 80) - 1;
  let shownPercent = -1;
  return {
    say: (text) => sink.write(ERASE_LINE + text.slice(0, width)),
    advance(done, total, noun = 'references') {
      const percent = total === 0 ? 100 : Math.floor((done / total) * 100);
      if (percent === shownPercent) return;
      shownPercent = percent;
      sink.write(ERASE_LINE + barOf(percent, done, total, noun).slice(0, width));
    },
    clear: () => sink.write(ERASE_LINE),
  };
}

function barOf(percent: number, done: number, total: number, noun: string): string {
  const filled = Math.round((percent / 100) * BAR_WIDTH);
  const bar = '#'.repeat(filled).padEnd(BAR_WIDTH, '.');
  return `[${bar}] ${String(percent).padStart(3)} %  ${formatCount(done)} of ${formatCount(total)} ${noun}`;
}
