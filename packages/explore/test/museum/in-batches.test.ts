import type { Routine } from '@epckit/interface';
import { Errno } from '@epckit/interface';
import type { Preset } from 'epckit';
import { epckit, linux6 } from 'epckit';
import { describe, expect, it } from 'vitest';
import type { Case } from '../../src/index.js';
import { explore } from '../../src/index.js';
import { fullEpcCase, REUSED, SIGBUS } from './full-epc.js';
import { Scene, sceneCase } from './scene.js';

/** Mark: CREATE has got its pages before the batch was over. */
const DURING = 'created during the batch';

/**
 * All four pages of the EPC belong to one enclave: version array, SECS, two pages that nobody has touched. CPU 0 evicts
 * all but the version array, or nothing runs there; CPU 1 creates another enclave, which needs two pages.
 */
function create(preset: Preset, withBatch: boolean): Case {
  return sceneCase('CREATE in a full EPC', (mark) => {
    const scene = new Scene({ preset, epcPages: 4 });
    scene.build({ pages: 2 });
    const { driver } = scene.epc;
    const range = { pageCount: 2, basePage: driver.chooseBasePage(2), attributes: 4 };
    let isOver = false;
    let result: number = 0;
    const evict = function* (): Routine<void> {
      yield* scene.batch();
      isOver = true;
    };
    const creating = function* (): Routine<void> {
      result = yield* driver.create.run(scene.thread(1), driver.open(), range);
      if (!isOver) mark(DURING);
    };
    const idle = function* (): Routine<void> {};
    return {
      scene,
      routines: [withBatch ? evict() : idle(), creating()],
      state: () => `${result}`,
      wrong: () => (result === 0 ? [] : [`CREATE: ${result}`]),
    };
  });
}

const within = { strategy: 'dfs', preemptions: 1 } as const;

describe('L-01: all reclaimable pages are in batches', () => {
  it('linux-6: CREATE is ENOMEM although three pages come back at once', () => {
    expect(explore(create(linux6, true), within).finding?.error.message).toBe(`CREATE: ${-Errno.ENOMEM}`);
  });

  it('linux-6: an access gets SIGBUS', { timeout: 60_000 }, () => {
    const { finding } = explore(fullEpcCase('access', { recipes: linux6, refusesSigbus: true }), within);
    expect(finding?.error.message).toBe('SIGBUS for a page that exists.');
  });

  // Both searches end: no allocation waits for ever, and none loops without a change.
  it('epckit: CREATE waits for the batch', { timeout: 60_000 }, () => {
    const result = explore(create(epckit, true), within);
    expect(result).toMatchObject({ limit: 'preemptions', finding: null });
    expect([...result.finalStates]).toEqual(['0']);
    expect(result.marks.get(DURING), 'the batch is not waited out').toBeGreaterThan(0);
  });

  it('epckit: an access faults again until its frames are free', { timeout: 60_000 }, () => {
    const result = explore(fullEpcCase('access', { recipes: epckit, refusesSigbus: true }), within);
    expect(result).toMatchObject({ limit: 'preemptions', finding: null });
    expect(result.marks.get(REUSED), 'the window is entered').toBeGreaterThan(0);
    expect(result.marks.get(SIGBUS)).toBeUndefined();
  });

  it('both: a full EPC without anything to reclaim is ENOMEM at once', () => {
    const results = [linux6, epckit].map((preset) => {
      const scene = new Scene({ preset, epcPages: 2 });
      scene.build({ pages: 0 });
      const { driver } = scene.epc;
      const range = { pageCount: 2, basePage: driver.chooseBasePage(2), attributes: 4 };
      return scene.run(driver.create.run(scene.thread(), driver.open(), range));
    });
    expect(results).toEqual([-Errno.ENOMEM, -Errno.ENOMEM]);
  });

  it('epckit: CREATE alone evicts', () => {
    expect(explore(create(epckit, false))).toMatchObject({ status: 'exhausted', finding: null });
  });
});
