import type { Routine, Thread } from '@epckit/interface';
import { Mode, op } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import type { ConformanceCase, LockSubject } from '../src/index.js';
import { mutexCases, rwLockCases, spinLockCases, waitQueueCases } from '../src/index.js';
import { expectEachCaseToFail, failuresOf } from './kits.js';
import type { LockClasses } from './plain-locks.js';
import { PlainLock, PlainRwLock, PlainWaitQueue, plainLocks } from './plain-locks.js';
import { nextObject, plainThread } from './plain-thread.js';

type Kit = (make: () => LockSubject) => ConformanceCase[];

const casesWith = (kit: Kit, classes: Partial<LockClasses> = {}): ConformanceCase[] =>
  kit(() => ({ locks: plainLocks(classes), createThread: (name) => plainThread(name) }));

const brokenLocks = {
  'lets everybody in': class extends PlainLock {
    override mustWait(thread: Thread): boolean {
      this.owner = thread;
      return false;
    }
  },
  'lets nobody in': class extends PlainLock {
    override mustWait(): boolean {
      return true;
    }
  },
  'gives in when asked twice': class extends PlainLock {
    #asked = 0;
    override mustWait(thread: Thread): boolean {
      return super.mustWait(thread) && ++this.#asked < 2;
    }
  },
  'is never free again': class extends PlainLock {
    #wasTaken = false;
    override mustWait(thread: Thread): boolean {
      if (this.#wasTaken) return true;
      this.#wasTaken = true;
      return super.mustWait(thread);
    }
  },
  'is held by everybody while it is held': class extends PlainLock {
    override isHeldBy(): boolean {
      return this.owner !== null;
    }
  },
  'lets its holder in again': class extends PlainLock {
    override mustWait(thread: Thread): boolean {
      return this.owner !== thread && super.mustWait(thread);
    }
  },
  'lets strangers release it': class extends PlainLock {
    override release(): void {
      this.owner = null;
    }
  },
  'shares one object among all locks': class extends PlainLock {
    override readonly acquire = op(1, Mode.ACQUIRE);
  },
  'announces a read': class extends PlainLock {
    override readonly acquire = op(nextObject(), Mode.READ);
  },
  'is one lock for its whole class': class extends PlainLock {
    static holder: Thread | null = null;
    override mustWait(thread: Thread): boolean {
      const { holder } = SharedByClass;
      if (holder !== null) return true;
      SharedByClass.holder = thread;
      return false;
    }
    override release(): void {
      SharedByClass.holder = null;
    }
    override isHeldBy(thread: Thread): boolean {
      return SharedByClass.holder === thread;
    }
  },
};
const SharedByClass = brokenLocks['is one lock for its whole class'];

const brokenRwLocks = {
  'has room for one reader': class extends PlainRwLock {
    override mustWaitRead(thread: Thread): boolean {
      return this.readers.length > 0 || super.mustWaitRead(thread);
    }
  },
  'lets a writer in when the first reader leaves': class extends PlainRwLock {
    override releaseRead(thread: Thread): void {
      super.releaseRead(thread);
      this.readers.length = 0;
    }
  },
  'lets readers in beside a writer': class extends PlainRwLock {
    override mustWaitRead(thread: Thread): boolean {
      this.readers.push(thread);
      return false;
    }
  },
  'lets later readers overtake': class extends PlainRwLock {
    override mustWaitWrite(thread: Thread): boolean {
      const mustWait = super.mustWaitWrite(thread);
      this.waiting.clear();
      return mustWait;
    }
  },
  'lets strangers release it': class extends PlainRwLock {
    override releaseRead(): void {
      this.readers.pop();
    }
    override releaseWrite(): void {
      this.writer = null;
    }
  },
  'has two objects': class extends PlainRwLock {
    override readonly acquireRead = op(1, Mode.ACQUIRE_SHARED);
  },
};

const brokenQueues = {
  'never wakes': class extends PlainWaitQueue {
    override wake(): boolean {
      return true;
    }
  },
  'loses a wake-up before sleep': class extends PlainWaitQueue {
    override *sleep(thread: Thread): Routine<void> {
      this.sleepers.set(thread, false);
      yield* super.sleep(thread);
    }
  },
  'remembers old wake-ups': class extends PlainWaitQueue {
    override prepare(thread: Thread): void {
      if (!this.sleepers.has(thread)) super.prepare(thread);
    }
  },
  'wakes one': class extends PlainWaitQueue {
    override wake(): boolean {
      const [first] = this.sleepers.keys();
      if (first !== undefined) this.sleepers.set(first, true);
      return first !== undefined;
    }
  },
  'always says that somebody slept': class extends PlainWaitQueue {
    override wake(thread: Thread): boolean {
      super.wake(thread);
      return true;
    }
  },
  'wakes every queue': class extends PlainWaitQueue {
    static readonly all: PlainWaitQueue[] = [];
    constructor(name: string) {
      super(name);
      WakesAll.all.push(this);
    }
    override wake(thread: Thread): boolean {
      return WakesAll.all.map((queue) => PlainWaitQueue.prototype.wake.call(queue, thread)).some(Boolean);
    }
  },
};
const WakesAll = brokenQueues['wakes every queue'];

describe.each([
  ['spinLockCases', spinLockCases],
  ['mutexCases', mutexCases],
] as const)('%s', (_, kit) => {
  const broken = Object.entries(brokenLocks).map(([name, Lock]) => [name, casesWith(kit, { Lock })] as const);

  it('passes a sound lock', () => {
    expect(failuresOf(casesWith(kit))).toEqual([]);
  });

  it.each(broken)('fails a lock that %s', (_, cases) => {
    expect(failuresOf(cases)).not.toEqual([]);
  });

  it('has no case that cannot fail', () => {
    expectEachCaseToFail(
      casesWith(kit),
      broken.map(([, cases]) => cases),
    );
  });
});

describe('rwLockCases', () => {
  const broken = Object.entries(brokenRwLocks).map(
    ([name, RwLock]) => [name, casesWith(rwLockCases, { RwLock })] as const,
  );

  it('passes a sound lock', () => {
    expect(failuresOf(casesWith(rwLockCases))).toEqual([]);
  });

  it.each(broken)('fails a lock that %s', (_, cases) => {
    expect(failuresOf(cases)).not.toEqual([]);
  });

  it('has no case that cannot fail', () => {
    expectEachCaseToFail(
      casesWith(rwLockCases),
      broken.map(([, cases]) => cases),
    );
  });
});

describe('waitQueueCases', () => {
  const broken = Object.entries(brokenQueues).map(
    ([name, WaitQueue]) => [name, casesWith(waitQueueCases, { WaitQueue })] as const,
  );

  it('passes a sound queue', () => {
    expect(failuresOf(casesWith(waitQueueCases))).toEqual([]);
  });

  it.each(broken)('fails a queue that %s', (_, cases) => {
    expect(failuresOf(cases)).not.toEqual([]);
  });

  it('has no case that cannot fail', () => {
    expectEachCaseToFail(
      casesWith(waitQueueCases),
      broken.map(([, cases]) => cases),
    );
  });
});
