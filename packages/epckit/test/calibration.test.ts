import { readFileSync } from 'node:fs';
import { describe, expect, it, vi } from 'vitest';
import { calibrate, deviationOf, tableOf } from './calibration.js';

vi.setConfig({ testTimeout: 120_000 });

const rows = calibrate();
const table = tableOf(rows);

describe('simulated runs of published experiments', () => {
  it.each(rows.filter(({ isRequired }) => isRequired))(
    'take as long as observed within 25 %: $experiment, $machine, $time',
    (row) => {
      expect(Math.abs(deviationOf(row))).toBeLessThan(0.25);
    },
  );

  it('are as the README of @epckit/machine says, within 3 %', () => {
    console.info(table.join('\n'));
    const readme = readFileSync(new URL('../../machine/README.md', import.meta.url), 'utf8').split('\n');
    const lines = readme.map(cellsOf);
    const printed = table.map(cellsOf);
    const start = lines.findIndex((cells) => cells.join() === printed[0]?.join());
    const shown = lines.slice(start, start + table.length).toSpliced(1, 1);
    expect(shown.map(described)).toEqual(printed.toSpliced(1, 1).map(described));
    for (const [i, { simulated }] of rows.entries()) {
      expect(Math.abs(Number(shown[i + 1]?.[4]) / simulated - 1), shown[i + 1]?.join()).toBeLessThan(0.03);
    }
  });
});

function cellsOf(line: string): string[] {
  return line
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim());
}

/** All but the outcome. */
function described(cells: readonly string[]): readonly string[] {
  return cells.slice(0, 4);
}
