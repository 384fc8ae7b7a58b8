import { NONE } from '@epckit/interface';
import type { Preset } from 'epckit';
import { epckit, linux6 } from 'epckit';
import { describe, expect, it } from 'vitest';
import type { Case } from '../../src/index.js';
import { explore } from '../../src/index.js';
import { Scene, sceneCase } from './scene.js';

/** Mark: the batch has evicted the SECS before the access loaded its page. */
const EVICTED = 'SECS evicted';
/** Mark: the SECS has got a child before the batch wrote it. */
const KEPT = 'SECS kept';

/** The enclave's page is out; its SECS is not, because its backing could not be had. */
function strand(preset: Preset): { scene: Scene; enclave: ReturnType<Scene['build']> } {
  let files = 0;
  const failures = { fails: (call: string) => call === 'shmem_page' && ++files === 3 };
  const scene = new Scene({ preset, failures });
  const enclave = scene.build({ pages: 1 });
  scene.run(scene.batch());
  if (enclave.secs === NONE || enclave.children !== 0) throw new Error('The SECS is not idle.');
  return { scene, enclave };
}

/** CPU 0 runs a batch; CPU 1 accesses the page. */
const besideAccess: Case = sceneCase('idle SECS', (mark) => {
  const { scene, enclave } = strand(epckit);
  const before = enclave.secs;
  return {
    scene,
    routines: [scene.batch(), scene.access(1, enclave, 0)],
    state: () => `${enclave.records.epc(0) !== NONE} ${enclave.secs !== NONE}`,
    wrong: () => {
      mark(enclave.secs === before ? KEPT : EVICTED);
      return [];
    },
  };
});

describe('L-08: a SECS without children', () => {
  it('stays in the EPC under linux-6, and goes with the next batch under epckit', () => {
    const secs = [linux6, epckit].map((preset) => {
      const { scene, enclave } = strand(preset);
      scene.run(scene.batch());
      expect(scene.broken()).toEqual([]);
      return enclave.secs;
    });
    expect(secs).toEqual([1, NONE]);
  });

  it('that is being evicted may get a child meanwhile: no order is wrong', { timeout: 60_000 }, () => {
    // Exhausted by dpor once, in ten seconds.
    const result = explore(besideAccess, { strategy: 'dfs', preemptions: 2 });
    expect(result).toMatchObject({ limit: 'preemptions', finding: null });
    expect(result.marks.get(EVICTED)).toBeGreaterThan(0);
    expect(result.marks.get(KEPT)).toBeGreaterThan(0);
  });

  it('and is released with its enclave', () => {
    const { scene, enclave } = strand(epckit);
    const { mapper } = scene.epc.driver;
    scene.run(mapper.unmap(scene.thread(), scene.process.mm, enclave, 0, 2));
    scene.run(mapper.closeFile(scene.thread(), enclave));
    expect(scene.epc.pools.free).toBe(8);
    expect(scene.broken()).toEqual([]);
  });
});
