import { MisuseError } from '@epckit/interface';

/**
 * Prints a schedule as run lengths: threads 1, 1, 1, 2, 1 are `1*3 2 1`. A negative number is no step of its own: the
 * leaf of that thread ran beside the step before it, so 2, -1 is `2~1`.
 */
export function formatSchedule(schedule: readonly number[]): string {
  const runs: string[] = [];
  for (let at = 0; at < schedule.length; ) {
    const thread = schedule[at] as number;
    const overlapped = schedule[at + 1] ?? 0;
    if (overlapped < 0) {
      runs.push(`${thread}~${-overlapped}`);
      at += 2;
      continue;
    }
    let end = at;
    while (schedule[end] === thread && (schedule[end + 1] ?? 0) >= 0) end++;
    runs.push(end - at === 1 ? `${thread}` : `${thread}*${end - at}`);
    at = end;
  }
  return runs.join(' ');
}

/**
 * Reads a schedule: thread ids separated by dots, commas or blanks, each with an optional run length or overlap.
 *
 * @throws MisuseError naming the part that is no thread id
 */
export function parseSchedule(text: string): number[] {
  const schedule: number[] = [];
  for (const part of text.split(/[\s.,]+/)) {
    if (part === '') continue;
    const match = /^([1-9]\d*)(?:\*([1-9]\d*)|~([1-9]\d*))?$/.exec(part);
    if (match === null) {
      throw new MisuseError(`'${part}' is no part of a schedule.`, ['expected: 1.1.2.1 or 1*2 2~1 1']);
    }
    const thread = Number(match[1]);
    for (let left = Number(match[2] ?? 1); left > 0; left--) schedule.push(thread);
    if (match[3] !== undefined) schedule.push(-Number(match[3]));
  }
  return schedule;
}
