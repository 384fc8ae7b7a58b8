import { readdirSync, readFileSync } from 'node:fs';
import { checkEnclaves } from '@epckit/enclave';
import { checkFrames } from '@epckit/frames';
import { checkEpcm } from '@epckit/hardware';
import { checkPools } from '@epckit/numa';
import { describe, expect, it } from 'vitest';
import type { Epc, Script } from '../src/index.js';
import { compareRecords, replayScript } from '../src/index.js';

const folder = new URL('golden/', import.meta.url);
const names = readdirSync(folder).filter((name) => name.endsWith('.json'));

/** Every invariant of a machine at rest, after each step. */
function checkAll(epc: Epc): void {
  const broken = [
    ...checkFrames(epc.frames),
    ...checkPools(epc.pools, epc.frames),
    ...checkEpcm(epc.hardware),
    ...checkEnclaves(epc.driver, epc.frames, epc.hardware),
    ...epc.machine.threads
      .filter((thread) => thread.held.length > 0)
      .map((thread) => `${thread.name} holds a lock`),
  ];
  expect(broken).toEqual([]);
}

describe('recorded scripts', () => {
  it('are the fourteen that this slice covers', () => {
    const numbers = names.map((name) => name.split('-')[0]).sort();
    expect(numbers).toEqual([
      '01',
      '02',
      '03',
      '03',
      '07',
      '10',
      '12',
      '20',
      '23',
      '24',
      '28',
      '31',
      '33',
      '36',
    ]);
  });

  it.each(names)('%s', { timeout: 60_000 }, (name) => {
    const script = JSON.parse(readFileSync(new URL(name, folder), 'utf8')) as Script;
    const expected = script.expect ?? [];
    expect(expected.length).toBe(script.steps.length);
    for (const { index, record, unsupported } of replayScript(script, { afterStep: checkAll })) {
      expect(unsupported).toBeUndefined();
      const difference = compareRecords(expected[index] ?? {}, record);
      expect(difference, `step ${index}`).toBeNull();
    }
  });
});
