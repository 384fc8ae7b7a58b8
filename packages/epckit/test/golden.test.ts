import { readdirSync, readFileSync } from 'node:fs';
import { checkEnclaves } from '@epckit/enclave';
import { checkFrames } from '@epckit/frames';
import { checkEpcm } from '@epckit/hardware';
import { checkPools } from '@epckit/numa';
import { checkVepc } from '@epckit/vepc';
import { describe, expect, it } from 'vitest';
import type { Epc, Script } from '../src/index.js';
import { compareRecords, replayScript } from '../src/index.js';

const folder = new URL('golden/', import.meta.url);
const names = readdirSync(folder).filter((name) => name.endsWith('.json'));

/** Rules that a script is expected to break: notes of the recorder say so. */
const exempt: Readonly<Record<string, readonly string[]>> = {
  // an EPC page or a reference is lost for ever
  leak: ['I-1', 'I-2', 'I-7'],
  // contents are lost
  relax: ['I-9'],
};

/** Every invariant of a machine at rest, after each step, except what the script's notes exempt. */
function checkAll(epc: Epc, exemptRules: readonly string[]): void {
  const broken = [
    ...checkFrames(epc.frames),
    ...checkPools(epc.pools, epc.frames),
    ...checkEpcm(epc.hardware),
    ...checkEnclaves(epc.driver, epc.frames, epc.hardware, epc.hasLostPower).filter(
      ({ rule }) => !exemptRules.includes(rule),
    ),
    ...(epc.vepc === null ? [] : checkVepc(epc.vepc, epc.frames, epc.hardware)),
    ...epc.machine.threads
      .filter((thread) => thread.held.length > 0)
      .map((thread) => `${thread.name} holds a lock`),
  ];
  expect(broken).toEqual([]);
}

describe('recorded scripts', () => {
  it('are each described in the README', () => {
    const readme = readFileSync(new URL('README.md', folder), 'utf8');
    const described = [...readme.matchAll(/^\| `(.*\.json)`/gm)].map(([, name]) => name);
    expect(described.sort()).toEqual([...names].sort());
  });

  it.each(names)('%s', { timeout: 60_000 }, (name) => {
    const script = JSON.parse(readFileSync(new URL(name, folder), 'utf8')) as Script;
    const expected = script.expect ?? [];
    expect(expected.length).toBe(script.steps.length);
    const rules = script.steps.flatMap((step) => ('op' in step ? (exempt[step.op] ?? []) : []));
    const afterStep = (epc: Epc) => checkAll(epc, rules);
    for (const { index, record, unsupported } of replayScript(script, { afterStep })) {
      expect(unsupported).toBeUndefined();
      const difference = compareRecords(expected[index] ?? {}, record);
      expect(difference, `step ${index}`).toBeNull();
    }
  });
});
