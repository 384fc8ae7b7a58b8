import type { NodeId, Op, PageIndex, Routine, Thread } from '@epckit/interface';
import { Errno, FrameFlag, Mode, op } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import type { ConformanceCase } from '../src/index.js';
import { pagePoolCases } from '../src/index.js';
import { expectEachCaseToFail, failuresOf } from './kits.js';
import { PlainFrames } from './plain-frames.js';
import { PlainPool } from './plain-pool.js';
import { plainThread } from './plain-thread.js';

const casesWith = (Pool: new (frames: PlainFrames) => PlainPool): ConformanceCase[] =>
  pagePoolCases((sections) => {
    const frames = new PlainFrames(sections);
    return { pool: new Pool(frames), frames, createThread: (node) => plainThread('task', node) };
  });

const broken: Record<string, new (frames: PlainFrames) => PlainPool> = {
  'keeps the last page': class extends PlainPool {
    override *take(thread: Thread): Routine<number> {
      return this.free === 1 ? -Errno.ENOMEM : yield* super.take(thread);
    }
  },
  'looks at the node of the CPU only': class extends PlainPool {
    override *take(thread: Thread): Routine<number> {
      yield this.freeReading;
      for (let page = this.frames.first(this.list); page >= 0; page = this.frames.next(page)) {
        if (this.frames.node(page) !== thread.node) continue;
        this.frames.unlink(page);
        this.frames.setFlags(page, 0);
        return page;
      }
      return -Errno.ENOMEM;
    }
  },
  'walks for ever when the CPU has no EPC': class extends PlainPool {
    override *take(thread: Thread): Routine<number> {
      while (!this.nodes.includes(thread.node)) yield this.freeReading;
      return yield* super.take(thread);
    }
  },
  'counts pages that are given back twice': class extends PlainPool {
    #gifts = 0;
    override *give(thread: Thread, page: PageIndex): Routine<void> {
      this.#gifts++;
      yield* super.give(thread, page);
    }
    override get free(): number {
      return super.free + this.#gifts;
    }
  },
  'loses what is given back': class extends PlainPool {
    override *give(_thread: Thread, page: PageIndex): Routine<void> {
      yield this.freeReading;
      this.frames.setFlags(page, FrameFlag.IS_FREE);
    }
  },
  'leaves the mark of a free page': class extends PlainPool {
    override *take(thread: Thread): Routine<number> {
      const page = yield* super.take(thread);
      if (page >= 0) this.frames.setFlags(page, FrameFlag.IS_FREE);
      return page;
    }
  },
  'does not mark free pages': class extends PlainPool {
    override *give(thread: Thread, page: PageIndex): Routine<void> {
      yield* super.give(thread, page);
      this.frames.setFlags(page, 0);
    }
  },
  'gives out poison': class extends PlainPool {
    override *give(_thread: Thread, page: PageIndex): Routine<void> {
      yield this.freeReading;
      this.frames.append(this.list, page);
      this.frames.setFlags(page, FrameFlag.IS_FREE);
    }
  },
  'has nodes in the order of sections': class extends PlainPool {
    override readonly nodes: readonly NodeId[] = [1, 0];
  },
  'announces a write': class extends PlainPool {
    override readonly freeReading: Op = op(1, Mode.WRITE);
  },
};

describe('pagePoolCases', () => {
  const sound = casesWith(PlainPool);
  const brokenCases = Object.entries(broken).map(([name, Pool]) => [name, casesWith(Pool)] as const);

  it('passes a sound pool', () => {
    expect(failuresOf(sound)).toEqual([]);
  });

  it.each(brokenCases)('fails a pool that %s', (_, cases) => {
    expect(failuresOf(cases)).not.toEqual([]);
  });

  it('has no case that cannot fail', () => {
    expectEachCaseToFail(
      sound,
      brokenCases.map(([, cases]) => cases),
    );
  });
});
