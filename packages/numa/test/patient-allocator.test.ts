import type { PagePool, Reclaimer, Routine, Thread } from '@epckit/interface';
import { Errno, OwnerKind } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import { PatientAllocator } from '../src/recipes.js';
import { createFixture } from './fixture.js';

/** A full pool of one page, and a reclaimer with nothing on its list: `running` batches have not ended. */
function setUp(running: number, hasCount = true) {
  const fixture = createFixture({ sections: [{ node: 0, pageCount: 1 }] });
  const { frames, pools, machine } = fixture;
  fixture.run((thread) => pools.sanitize(thread));
  const page = fixture.run((thread) => pools.take(thread));
  const begun = machine.sharedNumber('begun', running);
  const ended = machine.sharedNumber('ended', 0);
  let batches = 0;
  const reclaimer: Reclaimer = {
    freeReadingOn: () => 0,
    daemons: [9],
    *nothingReclaimable() {
      return true;
    },
    *batch() {
      batches++;
      return 0;
    },
    isLow: () => false,
    *wakeIfUseful() {},
    ...(hasCount ? { batches: { begun, ended } } : {}),
  };
  const create = () => new PatientAllocator({ frames, pool: pools as PagePool, reclaimer, charge: null });
  const alloc = (mayReclaim: boolean) =>
    fixture.run((thread: Thread): Routine<number> => {
      return create().alloc(thread, OwnerKind.NATIVE, 1, 0, mayReclaim);
    });
  return { fixture, page, create, alloc, batches: () => batches };
}

describe('an allocator that waits for batches (L-01)', () => {
  it('is ENOMEM if nothing is listed and no batch runs', () => {
    const { alloc, batches } = setUp(0);
    expect([alloc(true), alloc(false), batches()]).toEqual([-Errno.ENOMEM, -Errno.ENOMEM, 0]);
  });

  it('is EBUSY while a batch runs, if it may not wait', () => {
    expect(setUp(1).alloc(false)).toBe(-Errno.EBUSY);
  });

  it('waits for nobody if a signal is pending', () => {
    const { fixture, alloc, batches } = setUp(1);
    fixture.run(function* (thread) {
      thread.signalPending = true;
    });
    expect([alloc(true), batches()]).toEqual([-Errno.ERESTARTSYS, 0]);
  });

  it('needs a reclaimer that counts', () => {
    expect(setUp(0, false).create).toThrowError(/counts its batches/);
  });
});
