import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const tracked = execFileSync('git', ['ls-files'], { cwd: root, encoding: 'utf8' })
  .split('\n')
  .filter(Boolean);
const sources = tracked
  .filter((file) => /^packages\/[^/]+\/src\/.*\.ts$/.test(file) && existsSync(`${root}${file}`))
  .map((file) => ({ file, text: readFileSync(`${root}${file}`, 'utf8') }));

function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) * share)] as number;
}

describe('the sources', () => {
  it('are small files: median 120 lines at most, 90 % at most 300, none over 500', () => {
    const lines = sources.map(({ text }) => text.split('\n').length);
    expect(lines.length).toBeGreaterThan(100);
    expect(quantile(lines, 0.5)).toBeLessThanOrEqual(120);
    expect(quantile(lines, 0.9)).toBeLessThanOrEqual(300);
    expect(Math.max(...lines)).toBeLessThanOrEqual(500);
  });

  it('have names that say something', () => {
    const empty = tracked.filter((file) =>
      /(^|\/)(utils?|helpers?|common|misc|manager|data)(\.ts|\/)/.test(file),
    );
    expect(empty).toEqual([]);
  });

  it('take neither time nor chance from outside', () => {
    const outside = /Math\.random|Date\.now|new Date\(|performance\.now|setTimeout|setInterval/;
    const model = sources.filter(({ file }) => !file.startsWith('packages/cli/'));
    expect(model.filter(({ text }) => outside.test(text)).map(({ file }) => file)).toEqual([]);
  });
});
