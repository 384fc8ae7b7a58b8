import type { Routine, Thread } from '@epckit/interface';
import { NONE } from '@epckit/interface';
import { expect, it } from 'vitest';
import type { EpcCgroupOptions } from '../../src/index.js';
import { cgroupV17, epckitCgroups } from '../../src/index.js';
import type { EpcGroup } from '../../src/recipes.js';
import { CursorTable, ForgetfulCursorTable, GroupLists, PatientCharge } from '../../src/recipes.js';
import { RandomRun } from './random-run.js';

/** The first problem that random runs of a broken design meet. */
function problemOf(design: EpcCgroupOptions): string {
  for (let seed = 0; seed < 20; seed++) {
    const run = new RandomRun(design, seed, 1000);
    run.run();
    if (run.problems.length > 0) return run.problems[0] as string;
  }
  return 'none';
}

it('a freed group that stays in the cursors of those above it (R-25) is found', () => {
  const cursors: EpcCgroupOptions['cursors'] = (groups, locks) => new ForgetfulCursorTable(groups, locks);
  expect(problemOf({ ...cgroupV17, cursors })).toMatch(/^cursor: the cursor of .* which is freed/);
});

it('a cursor that leaves out a group is found', () => {
  class Hasty extends CursorTable {
    override *liveAfter(
      thread: Thread,
      top: EpcGroup,
      at: Parameters<CursorTable['liveAfter']>[2],
    ): Routine<EpcGroup> {
      const next = yield* super.liveAfter(thread, top, at);
      if (next === top) return top;
      const after = yield* super.liveAfter(thread, top, next.group);
      yield* this.groups.put(thread, next);
      return after;
    }
  }
  const cursors: EpcCgroupOptions['cursors'] = (groups, locks) => new Hasty(groups, locks);
  expect(problemOf({ ...cgroupV17, cursors })).toMatch(/was left out between two visits/);
});

it('a charge that is not given back is found', () => {
  class Leaking extends PatientCharge {
    override *uncharge(thread: Thread, page: number): Routine<void> {
      const { frames } = this.parts;
      if (page === 5 && frames.listOf(page) === 0) frames.setGroup(page, NONE);
      yield* super.uncharge(thread, page);
    }
  }
  const charge: EpcCgroupOptions['charge'] = (parts, patience) => new Leaking(parts, patience);
  expect(problemOf({ ...epckitCgroups, charge })).toMatch(/^usage: .*: usage \d+, pages \d+/);
});

it('a page on the list of another group is found', () => {
  class Misplacing extends GroupLists {
    protected override partOf(page: number): EpcGroup {
      const { groups } = this.parts;
      return page === 7 ? groups.root : super.partOf(page);
    }
  }
  expect(problemOf({ ...cgroupV17, lists: (parts) => new Misplacing(parts) })).toMatch(
    /^list of the charged group: page 7/,
  );
});
