// biome-ignore-all lint/correctness/useYield: a plain controller stops nowhere
import type { ChargeController, GroupId, PageIndex, Routine, Thread } from '@epckit/interface';
import { Errno, NONE } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import { chargeControllerCases } from '../src/index.js';
import { expectEachCaseToFail, failuresOf } from './kits.js';
import { PlainFrames } from './plain-frames.js';
import { plainThread } from './plain-thread.js';

/** One group, 7, for everybody. */
class PlainController implements ChargeController {
  used = 0;
  protected refuser: GroupId = NONE;
  protected readonly limit: number;
  protected readonly frames: PlainFrames;

  constructor(limit: number, frames: PlainFrames) {
    this.limit = limit;
    this.frames = frames;
  }
  *charge(_thread: Thread, mayReclaim: boolean): Routine<number> {
    if (this.used === this.limit) {
      this.refuser = 7;
      return mayReclaim ? -Errno.ENOMEM : -Errno.EBUSY;
    }
    this.used++;
    return 7;
  }
  *cancel(): Routine<void> {
    this.used--;
  }
  *assign(_thread: Thread, page: PageIndex, group: GroupId): Routine<void> {
    this.frames.setGroup(page, group);
  }
  *uncharge(_thread: Thread, page: PageIndex): Routine<void> {
    if (this.frames.group(page) === NONE) return;
    this.frames.setGroup(page, NONE);
    this.used--;
  }
  *reclaimDirect(): Routine<void> {}
  refusedBy(): GroupId {
    return this.refuser;
  }
}

const casesWith = (Controller: typeof PlainController) =>
  chargeControllerCases((limit) => {
    const frames = new PlainFrames([{ node: 0, pageCount: 8 }]);
    const controller = new Controller(limit, frames);
    return { controller, frames, thread: plainThread(), used: () => controller.used };
  });

const broken: Record<string, typeof PlainController> = {
  'keeps cancelled charges': class extends PlainController {
    override *cancel(): Routine<void> {}
  },
  'assigns the root': class extends PlainController {
    override *assign(_thread: Thread, page: PageIndex): Routine<void> {
      this.frames.setGroup(page, 0);
    }
  },
  'uncharges whatever it is told': class extends PlainController {
    override *uncharge(_thread: Thread, page: PageIndex): Routine<void> {
      this.frames.setGroup(page, NONE);
      this.used--;
    }
  },
  'never uncharges': class extends PlainController {
    override *uncharge(): Routine<void> {}
  },
  'has no limit': class extends PlainController {
    override *charge(): Routine<number> {
      this.used++;
      return 7;
    }
  },
  'accuses nobody': class extends PlainController {
    override refusedBy(): GroupId {
      return NONE;
    }
  },
  'reclaims what it has': class extends PlainController {
    override *reclaimDirect(): Routine<void> {
      this.used = 0;
    }
  },
};

describe('chargeControllerCases', () => {
  it('passes a sound controller', () => {
    expect(failuresOf(casesWith(PlainController))).toEqual([]);
  });

  it.each(Object.entries(broken))('fails one that %s', (_, Controller) => {
    expect(failuresOf(casesWith(Controller))).not.toEqual([]);
  });

  it('has no case that every controller passes', () => {
    expectEachCaseToFail(casesWith(PlainController), Object.values(broken).map(casesWith));
  });
});
