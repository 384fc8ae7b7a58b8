import type { EpcCgroupOptions } from '@epckit/cgroup';
import { CGROUP_MOUNT, cgroup2020, cgroupV5, cgroupV17, epckitCgroups } from '@epckit/cgroup';
import { CursorTable, RestartingCursorTable } from '@epckit/cgroup/recipes';
import type { Routine } from '@epckit/interface';
import { errnoNames } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import type { Case } from '../../src/index.js';
import { explore, formatFinding } from '../../src/index.js';
import { EpcGroupsScene, groupsCase } from './epc-groups.js';

/** Does a CPU ever get ENOMEM, in interleavings with one preemption? */
function statesOf(subject: Case): string[] {
  const { finding, finalStates } = explore(subject, { strategy: 'dfs', preemptions: 1, maxSteps: 3000 });
  expect(finding && formatFinding(finding)).toBe(null);
  return [...finalStates].sort();
}

/** Runs a charge of a CPU and gives what it returns: a page, or the name of an errno. */
function* charging(
  scene: EpcGroupsScene,
  cpu: number,
  mayReclaim: boolean,
  results: string[],
): Routine<void> {
  const result = yield* scene.alloc(scene.thread(cpu), mayReclaim);
  results[cpu] = result >= 0 ? 'page' : `${errnoNames[-result]}`;
}

describe('R-09, a dying group in the walk', () => {
  /** `/a` is full, its pages are in `/a/y`, and the empty `/a/x` before it is removed meanwhile. */
  const states = (design: EpcCgroupOptions): string[] =>
    statesOf(
      groupsCase('charge beside rmdir', { design, epcPages: 4 }, (scene) => {
        const a = scene.group('/a', 1);
        scene.group('/a/x');
        scene.fill(scene.group('/a/y'), 1);
        scene.current[0] = a;
        const results: string[] = [];
        return {
          routines: [
            charging(scene, 0, true, results),
            scene.tree.rmdir(scene.thread(1), `${CGROUP_MOUNT}/a/x`),
          ],
          state: () => `${results}`,
        };
      }),
    );

  it('ends the walk for emptiness of v5: ENOMEM although there is a page', () => {
    expect(states(cgroupV5)).toEqual(['ENOMEM', 'page']);
  });
  it.each([{ ...cgroupV5, emptinessWalk: 'fromRoot' as const }, cgroup2020, cgroupV17, epckitCgroups])(
    'is skipped: $name',
    (design) => expect(states(design)).toEqual(['page']),
  );
});

describe('R-10, the successor of a cursor is dying', () => {
  /** Does a walk that meets a group whose last reference is gone have to wait until it has left the tree? */
  function waits(cursors: NonNullable<EpcCgroupOptions['cursors']>): boolean {
    const scene = new EpcGroupsScene({ design: { ...cgroupV17, cursors }, epcPages: 4 });
    const a = scene.group('/a');
    const x = scene.engine.groups.of(scene.group('/a/x'));
    scene.fill(scene.group('/a/y'), 1);
    const { lists } = scene.engine;
    const request = { target: a, maxPages: 1, isAgeIgnored: false, lookedAt: 0, evicted: 0 };
    scene.machine.start(scene.thread(0), lists.isolate(scene.thread(0), request, new Int32Array(1)));
    scene.machine.start(scene.thread(1), scene.tree.rmdir(scene.thread(1), `${CGROUP_MOUNT}/a/x`));
    let isWaiting = false;
    const { status } = scene.machine.runExplored(
      {
        begin: () => true,
        // The removal until the last reference is gone, then the walk as far as it comes.
        choose(enabled) {
          const walk = enabled.findIndex(({ cpu }) => cpu === 0);
          const removal = enabled.findIndex(({ cpu }) => cpu === 1);
          if (x.group.refs.value > 0 && removal >= 0) return removal;
          if (walk < 0 && scene.thread(0).routine !== null) isWaiting = true;
          return Math.max(walk, 0);
        },
      },
      { maxSteps: 1000 },
    );
    expect(status).toBe('done');
    return isWaiting;
  }

  it('v16 meets it again and again', () => {
    expect(waits((groups, locks) => new RestartingCursorTable(groups, locks))).toBe(true);
  });
  it('v17 steps over it', () => {
    expect(waits((groups, locks) => new CursorTable(groups, locks))).toBe(false);
  });
});

describe('R-12, the addition of a charge that is about to fail', () => {
  /** A fault of a group with room for one page fails above it; beside it a charge that may reclaim there. */
  const states = (design: EpcCgroupOptions): string[] =>
    statesOf(
      groupsCase('two charges', { design, epcPages: 4 }, (scene) => {
        scene.group('/a', 1);
        const b = scene.group('/a/b', 1);
        scene.fill(scene.group('/a/c'), 1);
        scene.current[0] = b;
        scene.current[1] = b;
        const results: string[] = [];
        return {
          routines: [charging(scene, 0, false, results), charging(scene, 1, true, results)],
          state: () => `${results}`,
        };
      }),
    );

  it('2020: stands for so long that the other gives up, though nobody has got anything', () => {
    expect(states(cgroup2020)).toContain('EBUSY,ENOMEM');
  });
  it('the default waits until it is taken back, and for pages that are about to come onto a list', () => {
    expect(states(epckitCgroups)).toEqual(['EBUSY,page', 'page,page']);
  });
});

describe('R-13, the last page is in a batch', () => {
  const states = (design: EpcCgroupOptions): string[] =>
    statesOf(
      groupsCase('batch beside charge', { design, epcPages: 4 }, (scene) => {
        const a = scene.group('/a', 1);
        scene.fill(a, 1);
        scene.current[1] = a;
        const results: string[] = [];
        return {
          routines: [scene.reclaimer.batch(scene.thread(0)), charging(scene, 1, true, results)],
          state: () => `${results[1]}`,
        };
      }),
    );

  it.each([cgroupV5, cgroupV17])('$name: ENOMEM', (design) => {
    expect(states(design)).toEqual(['ENOMEM', 'page']);
  });
  it('the default: never', () => expect(states(epckitCgroups)).toEqual(['page']));
});

describe('R-14, a page that becomes free before it is uncharged', () => {
  const subject = (isFreedFirst: boolean): Case =>
    groupsCase('free beside charge', { design: epckitCgroups, epcPages: 1, isFreedFirst }, (scene) => {
      const [a, b] = [scene.group('/a'), scene.group('/b')];
      const [page] = scene.fill(a, 1) as [number];
      scene.run(scene.engine.lists.unmark(scene.thread(0), page));
      scene.current[1] = b;
      const results: string[] = [];
      return {
        routines: [scene.free(scene.thread(0), page), charging(scene, 1, false, results)],
        state: () => `${results[1]}`,
      };
    });

  it('takes the charge of the next owner away', () => {
    const { status, finding } = explore(subject(true));
    expect(status).toBe('found');
    expect(finding && formatFinding(finding)).toMatch(/Unordered access to frame|usage|charged/);
  });

  it('the other order: every interleaving is sound', () => {
    expect(explore(subject(false))).toMatchObject({ status: 'exhausted', finding: null });
  });
});
