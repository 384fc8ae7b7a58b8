import { expect } from 'vitest';
import type { ConformanceCase } from '../src/index.js';

/** Names of the cases that fail, without the name of the contract. */
export function failuresOf(cases: readonly ConformanceCase[]): string[] {
  return cases
    .filter(({ run }) => {
      try {
        run();
        return false;
      } catch {
        return true;
      }
    })
    .map(({ name }) => name.slice(name.indexOf(': ') + 2));
}

/** Checks that every case of a kit is failed by one of the broken implementations at least. */
export function expectEachCaseToFail(
  sound: readonly ConformanceCase[],
  broken: readonly (readonly ConformanceCase[])[],
): void {
  const failed = new Set(broken.flatMap(failuresOf));
  const names = sound.map(({ name }) => name.slice(name.indexOf(': ') + 2));
  expect(names.filter((name) => !failed.has(name))).toEqual([]);
}
