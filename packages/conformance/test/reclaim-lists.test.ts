// biome-ignore-all lint/correctness/useYield: plain lists stop nowhere
import type {
  GroupId,
  ListId,
  OwnerRegistry,
  PageIndex,
  ReclaimLists,
  ReclaimRequest,
  Routine,
  Thread,
} from '@epckit/interface';
import { Errno, FrameFlag, Pin } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import { reclaimListsCases } from '../src/index.js';
import { expectEachCaseToFail, failuresOf } from './kits.js';
import { PlainFrames } from './plain-frames.js';
import { plainThread } from './plain-thread.js';

const GROUPS = { parent: 1, child: 2, other: 3 };
/** Groups of each subtree. */
const SUBTREES: Readonly<Record<number, readonly number[]>> = { 0: [0, 1, 2, 3], 1: [1, 2], 2: [2], 3: [3] };

/** A list per group. */
class PlainLists implements ReclaimLists {
  protected readonly frames: PlainFrames;
  protected readonly owners: OwnerRegistry;
  protected readonly lists: readonly ListId[];

  constructor(frames: PlainFrames, owners: OwnerRegistry) {
    this.frames = frames;
    this.owners = owners;
    this.lists = [0, 1, 2, 3].map((group) => frames.createList(`group ${group}`));
  }
  *mark(_thread: Thread, page: PageIndex): Routine<void> {
    this.frames.setFlags(page, FrameFlag.TRACKED);
    this.frames.append(this.listOf(page), page);
  }
  *unmark(_thread: Thread, page: PageIndex): Routine<number> {
    if ((this.frames.flags(page) & FrameFlag.TRACKED) === 0) return 0;
    if (this.frames.listOf(page) === 0) return -Errno.EBUSY;
    this.frames.unlink(page);
    this.frames.setFlags(page, 0);
    return 0;
  }
  *isEmpty(_thread: Thread, target: GroupId): Routine<boolean> {
    return this.subtree(target).every((group) => this.frames.first(this.lists[group] as ListId) < 0);
  }
  *isolate(thread: Thread, request: ReclaimRequest, victims: Int32Array): Routine<number> {
    let [kept, looked] = [0, 0];
    for (const group of this.subtree(request.target)) {
      const list = this.lists[group] as ListId;
      while (looked < Math.min(request.maxPages, victims.length)) {
        const page = this.frames.first(list);
        if (page < 0) break;
        looked++;
        this.frames.unlink(page);
        if (this.owners.of(0).get(thread, page) === Pin.PINNED) victims[kept++] = page;
        else this.frames.setFlags(page, 0);
      }
    }
    request.lookedAt += looked;
    return kept;
  }
  *putBack(_thread: Thread, page: PageIndex): Routine<void> {
    this.frames.append(this.listOf(page), page);
  }
  oldest(group: GroupId): PageIndex {
    return this.frames.first(this.lists[group] as ListId);
  }
  after(page: PageIndex): PageIndex {
    return this.frames.next(page);
  }
  protected subtree(target: GroupId): readonly number[] {
    return SUBTREES[target] as readonly number[];
  }
  protected listOf(page: PageIndex): ListId {
    return this.lists[this.frames.group(page)] as ListId;
  }
}

const casesWith = (Lists: typeof PlainLists) =>
  reclaimListsCases((owners) => {
    const frames = new PlainFrames([{ node: 0, pageCount: 16 }]);
    return { lists: new Lists(frames, owners), frames, thread: plainThread(), groups: GROUPS };
  });

const broken: Record<string, typeof PlainLists> = {
  'is never empty': class extends PlainLists {
    override *isEmpty(): Routine<boolean> {
      return false;
    }
  },
  'marks nothing': class extends PlainLists {
    override *mark(): Routine<void> {}
  },
  'pins nobody': class extends PlainLists {
    override *isolate(_thread: Thread, request: ReclaimRequest, victims: Int32Array): Routine<number> {
      const page = this.oldest(this.subtree(request.target)[0] as number);
      if (page < 0) return 0;
      this.frames.unlink(page);
      victims[0] = page;
      return 1;
    }
  },
  'takes as many as there are': class extends PlainLists {
    override *isolate(thread: Thread, request: ReclaimRequest): Routine<number> {
      return yield* super.isolate(thread, { ...request, maxPages: 16 }, new Int32Array(16));
    }
  },
  'forgets what is put back': class extends PlainLists {
    override *putBack(): Routine<void> {}
  },
  'unmarks nothing': class extends PlainLists {
    override *unmark(): Routine<number> {
      return 0;
    }
  },
  'says of each page that it is busy': class extends PlainLists {
    override *unmark(): Routine<number> {
      return -Errno.EBUSY;
    }
  },
  'knows one group': class extends PlainLists {
    protected override subtree(): readonly number[] {
      return [0, 1, 2, 3];
    }
  },
  'knows no subtrees': class extends PlainLists {
    protected override subtree(target: GroupId): readonly number[] {
      return [target];
    }
  },
};

describe('reclaimListsCases', () => {
  it('passes sound lists', () => {
    expect(failuresOf(casesWith(PlainLists))).toEqual([]);
  });

  it.each(Object.entries(broken))('fails one that %s', (_, Lists) => {
    expect(failuresOf(casesWith(Lists))).not.toEqual([]);
  });

  it('has no case that all lists pass', () => {
    expectEachCaseToFail(casesWith(PlainLists), Object.values(broken).map(casesWith));
  });

  it('asks nothing about groups of lists without them', () => {
    const cases = reclaimListsCases((owners) => {
      const frames = new PlainFrames([{ node: 0, pageCount: 16 }]);
      return { lists: new PlainLists(frames, owners), frames, thread: plainThread(), groups: null };
    });
    expect(cases.length).toBeLessThan(casesWith(PlainLists).length);
    expect(failuresOf(cases)).toEqual([]);
  });
});
