// biome-ignore-all lint/correctness/useYield: what a test scripts stops nowhere
import type { ChargeController, PagePool, Reclaimer, Routine } from '@epckit/interface';
import { Errno, NONE, OwnerKind } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import { createPageAllocator } from '../src/index.js';
import type { Fixture } from './fixture.js';
import { createFixture } from './fixture.js';

interface Script {
  /** Pages that each further batch frees. Default: none. */
  readonly batches?: readonly number[];
  /** Batches until nothing is reclaimable. Default: never. */
  readonly emptyAfter?: number;
  readonly isLow?: boolean;
  /** Result of a charge. Default: no controller. */
  readonly charge?: number;
}

/** An allocator over two real pages and a scripted reclaimer; both pages are taken if `isFull`. */
function setUp(script: Script = {}, isFull = false) {
  const fixture = createFixture({ sections: [{ node: 0, pageCount: 2 }] });
  fixture.run((thread) => fixture.pools.sanitize(thread));
  if (isFull) for (let i = 0; i < 2; i++) fixture.run((thread) => fixture.pools.take(thread));
  fixture.log.length = 0;
  const reclaimer = scriptedReclaimer(fixture, script);
  const { frames, pools } = fixture;
  const charge = script.charge === undefined ? null : scriptedCharge(fixture, script.charge);
  const allocator = createPageAllocator({ frames, pool: pools as PagePool, reclaimer, charge });
  const alloc = (mayReclaim: boolean) =>
    fixture.run((thread) => allocator.alloc(thread, OwnerKind.NATIVE, 5, 6, mayReclaim));
  return { ...fixture, allocator, alloc, run: fixture.run.bind(fixture) };
}

describe('an allocation', () => {
  it('takes a free page and says whose it is', () => {
    const { frames, alloc, log } = setUp();
    expect(alloc(false)).toBe(0);
    expect([frames.kind(0), frames.owner(0), frames.record(0)]).toEqual([OwnerKind.NATIVE, 5, 6]);
    expect(log).toEqual(['allocated 0 of 0']);
  });

  it('wakes the daemon if few pages are left', () => {
    const { alloc, log } = setUp({ isLow: true });
    expect(alloc(true)).toBe(0);
    expect(log).toEqual(['allocated 0 of 0', 'wake']);
  });

  it('without free pages runs batches until there is one', () => {
    const { alloc, log } = setUp({ batches: [0, 0, 1] }, true);
    expect(alloc(true)).toBe(0);
    expect(log).toEqual(['batch', 'batch', 'batch', 'freed 0 of 0', 'allocated 0 of 0']);
  });

  it('without free pages is EBUSY if it may not reclaim, and wakes the daemon', () => {
    const { alloc, log } = setUp({ isLow: true }, true);
    expect(alloc(false)).toBe(-Errno.EBUSY);
    expect(log).toEqual(['wake']);
  });

  it.each([true, false])(
    'with nothing to reclaim is ENOMEM, and wakes nobody (may reclaim: %s)',
    (mayReclaim) => {
      const { alloc, log } = setUp({ isLow: true, emptyAfter: 0 }, true);
      expect(alloc(mayReclaim)).toBe(-Errno.ENOMEM);
      expect(log).toEqual([]);
    },
  );

  it('asks again after each batch whether anything is left to reclaim', () => {
    const { alloc, log } = setUp({ emptyAfter: 2 }, true);
    expect(alloc(true)).toBe(-Errno.ENOMEM);
    expect(log).toEqual(['batch', 'batch']);
  });

  it('stops for a signal when it must reclaim, and wakes the daemon', () => {
    const { alloc, log, threads } = setUp({ isLow: true }, true);
    for (const thread of threads) thread.signalPending = true;
    expect(alloc(true)).toBe(-Errno.ERESTARTSYS);
    expect(log).toEqual(['wake']);
  });

  it('does not look at signals while a page is free', () => {
    const { alloc, threads } = setUp();
    for (const thread of threads) thread.signalPending = true;
    expect(alloc(true)).toBe(0);
  });
});

describe('an allocation with a charge controller', () => {
  it('charges first and notes the group', () => {
    const { alloc, frames, log } = setUp({ charge: 3 });
    expect(alloc(true)).toBe(0);
    expect([frames.group(0), log]).toEqual([3, ['charge', 'allocated 0 of 0']]);
  });

  it('gives the charge back if there is no page', () => {
    const { alloc, log } = setUp({ charge: 3, emptyAfter: 0 }, true);
    expect(alloc(true)).toBe(-Errno.ENOMEM);
    expect(log).toEqual(['charge', 'cancel 3']);
  });

  it('takes no page if the charge is refused', () => {
    const { alloc, log } = setUp({ charge: -Errno.ENOMEM, isLow: true });
    expect(alloc(true)).toBe(-Errno.ENOMEM);
    expect(log).toEqual(['charge']);
  });

  it('uncharges before the page can be seen as free', () => {
    const { alloc, allocator, frames, log, run } = setUp({ charge: 3 });
    alloc(true);
    log.length = 0;
    run((thread) => allocator.free(thread, 0));
    expect([log, frames.group(0), frames.kind(0)]).toEqual([
      ['uncharge 3', 'freed 0 of 0'],
      NONE,
      OwnerKind.NONE,
    ]);
  });
});

describe('direct reclaim ahead of need', () => {
  it.each([
    [{ isLow: true }, ['batch']],
    [{ isLow: false }, []],
    [{ isLow: true, emptyAfter: 0 }, []],
  ])('%o', (script, expected) => {
    const { allocator, log, run } = setUp(script);
    run((thread) => allocator.reclaimDirect(thread));
    expect(log).toEqual(expected);
  });
});

function scriptedReclaimer(fixture: Fixture, script: Script): Reclaimer {
  const { log, pools } = fixture;
  let batches = 0;
  return {
    freeReadingOn: () => pools.freeReading,
    *nothingReclaimable(): Routine<boolean> {
      return batches >= (script.emptyAfter ?? Number.POSITIVE_INFINITY);
    },
    isLow: () => script.isLow ?? false,
    *batch(thread): Routine<number> {
      log.push('batch');
      const freed = script.batches?.[batches] ?? 0;
      batches++;
      for (let page = 0; page < freed; page++) yield* pools.give(thread, page);
      return freed;
    },
    *wakeIfUseful(): Routine<void> {
      log.push('wake');
    },
    daemons: [0],
  };
}

function scriptedCharge(fixture: Fixture, result: number): ChargeController {
  return {
    *charge(): Routine<number> {
      fixture.log.push('charge');
      return result;
    },
    *cancel(_thread, group): Routine<void> {
      fixture.log.push(`cancel ${group}`);
    },
    *assign(_thread, page, group): Routine<void> {
      fixture.frames.setGroup(page, group);
    },
    *uncharge(_thread, page): Routine<void> {
      fixture.log.push(`uncharge ${fixture.frames.group(page)}`);
      fixture.frames.setGroup(page, NONE);
    },
    *reclaimDirect(): Routine<void> {
      fixture.log.push('own group');
    },
    refusedBy: () => NONE,
  };
}
