import { readdirSync, readFileSync } from 'node:fs';
import { checkEnclaves } from '@epckit/enclave';
import { checkFrames } from '@epckit/frames';
import { checkEpcm } from '@epckit/hardware';
import { checkPools } from '@epckit/numa';
import { checkVepc } from '@epckit/vepc';
import { describe, expect, it } from 'vitest';
import type { Epc, Script } from '../../src/index.js';
import { compareRecords, epckit, replayScript } from '../../src/index.js';

const folder = new URL('../golden/', import.meta.url);
const names = readdirSync(folder).filter((name) => name.endsWith('.json'));

/** What of the records preset `epckit` does otherwise, by script; of all others nothing. */
const differences: Readonly<Record<string, readonly string[]>> = {
  // L-05: the count of free pages is their number.
  '43-poison.json': ['free'],
  // L-05 and what follows: the daemon is woken in time.
  '201-mix.json': ['free', 'ev[21] of 68', 'wakes', 'dump.active[29] of 31'],
  // L-03: the page comes back at the second attempt, so it is there in the end.
  '84-eldu-fails.json': ['r', 'free', 'dump.active[6] of 7', 'ev[0] of 9'],
};

/** Every invariant of a machine at rest; no script is exempt from any. */
function broken(epc: Epc): unknown[] {
  const free = epc.pools.nodes.reduce((sum, node) => sum + epc.pools.freeOnNode(node), 0);
  return [
    ...checkFrames(epc.frames),
    ...checkPools(epc.pools, epc.frames),
    ...checkEpcm(epc.hardware),
    ...checkEnclaves(epc.driver, epc.frames, epc.hardware, epc.hasLostPower),
    ...(epc.vepc === null ? [] : checkVepc(epc.vepc, epc.frames, epc.hardware)),
    ...(free === epc.pools.free ? [] : [`${epc.pools.free} pages are counted as free, ${free} are.`]),
  ];
}

describe('scripts recorded with Linux, played with preset epckit', () => {
  it.each(names)('%s', { timeout: 60_000 }, (name) => {
    const script = JSON.parse(readFileSync(new URL(name, folder), 'utf8')) as Script;
    const found = new Set<string>();
    const afterStep = (epc: Epc) => expect(broken(epc)).toEqual([]);
    for (const { index, record } of replayScript(script, { afterStep, preset: epckit })) {
      const difference = compareRecords(script.expect?.[index] ?? {}, record);
      if (difference !== null) found.add(difference.slice(0, difference.indexOf(':')));
    }
    expect([...found]).toEqual(differences[name] ?? []);
  });
});
