import { isDeepStrictEqual } from 'node:util';
import type { StepRecord } from './script.js';

/**
 * Compares a record with the expected one.
 *
 * @returns null if they are equal, else one line about the first difference
 */
export function compareRecords(expected: StepRecord, actual: StepRecord): string | null {
  return difference('', expected, actual);
}

function difference(path: string, expected: unknown, actual: unknown): string | null {
  if (isDeepStrictEqual(expected, actual)) return null;
  if (Array.isArray(expected) && Array.isArray(actual)) return arrayDifference(path, expected, actual);
  if (isRecord(expected) && isRecord(actual)) {
    for (const key of new Set([...Object.keys(expected), ...Object.keys(actual)])) {
      const found = difference(path === '' ? key : `${path}.${key}`, expected[key], actual[key]);
      if (found !== null) return found;
    }
  }
  return `${path || 'record'}: expected ${shown(expected)}, got ${shown(actual)}`;
}

function arrayDifference(path: string, expected: readonly unknown[], actual: readonly unknown[]): string {
  const length = Math.max(expected.length, actual.length);
  for (let i = 0; i < length; i++) {
    if (isDeepStrictEqual(expected[i], actual[i])) continue;
    return `${path}[${i}] of ${expected.length}: expected ${shown(expected[i])}, got ${shown(actual[i])}`;
  }
  return `${path}: lengths ${expected.length} and ${actual.length}`;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function shown(value: unknown): string {
  return value === undefined ? 'nothing' : JSON.stringify(value);
}
