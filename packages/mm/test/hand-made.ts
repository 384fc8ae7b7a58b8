import type { LockFactory, ObjectRegistry, Probe, RefCount, RwLock, Thread } from '@epckit/interface';

/** Object numbers for tests without a machine. */
export function createObjectCounter(): ObjectRegistry {
  let next = 1;
  return {
    range(_kind, count) {
      next += count;
      return next - count;
    },
    nameOf: (object) => `object ${object}`,
  };
}

/** A thread that only has a name and an id. */
export const thread = { id: 1, name: 'test' } as Thread;

/** Locks that {@link thread} always holds, unless `isHeld` says otherwise. */
export function createHeldLocks(isHeld = () => true): LockFactory {
  const rwLock = (name: string): RwLock => ({
    name,
    acquireRead: 0,
    acquireWrite: 0,
    mustWaitRead: () => false,
    mustWaitWrite: () => false,
    releaseRead() {},
    releaseWrite() {},
    isHeldBy: isHeld,
  });
  const refCount = (name: string, value: number) => ({ name, value }) as RefCount;
  return { rwLock, refCount } as unknown as LockFactory;
}

/** Writes down which entries were zapped. */
export function createZapLog(): { zaps: number[][]; probe: Probe } {
  const zaps: number[][] = [];
  const pteZapped = (...args: number[]) => void zaps.push(args);
  return { zaps, probe: { pteZapped } as unknown as Probe };
}
