import type { LockFactory } from '@epckit/interface';

/**
 * Locks of a guest: those of the machine under names of their own. Host and guest run the same code, and a guest holds
 * its locks while the host acts on an exit: locks of the two levels are different classes.
 */
export function guestLocks(host: LockFactory, guest: string): LockFactory {
  return {
    spinLock: (name) => host.spinLock(`guest ${name}`),
    mutex: (name) => host.mutex(`guest ${name}`),
    rwLock: (name) => host.rwLock(`guest ${name}`),
    srcu: (name) => host.srcu(`guest ${name}`),
    sharedNumber: (name, initial) => host.sharedNumber(`${guest}: ${name}`, initial),
    refCount: (name, initial) => host.refCount(`${guest}: ${name}`, initial),
    waitQueue: (name) => host.waitQueue(`${guest}: ${name}`),
  };
}
