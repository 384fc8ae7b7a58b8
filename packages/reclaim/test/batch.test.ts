import { Blocked, NONE, Pin, Prepared, Written } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import { Fixture } from './fixture.js';
import type { PageScript } from './scripted-owner.js';

describe('a batch', () => {
  it('calls its owner page by page, stage by stage; everything is blocked before the first write', () => {
    const fixture = new Fixture();
    fixture.mark(3, 1, 2);
    expect(fixture.run((thread) => fixture.reclaimer.batch(thread))).toBe(3);
    expect(fixture.log).toEqual([
      ...['get 3', 'get 1', 'get 2'],
      ...['young 3', 'prepare 3', 'young 1', 'prepare 1', 'young 2', 'prepare 2'],
      ...['block 3', 'block 1', 'block 2'],
      ...['write 3', 'put 1: 3 tracked', 'EVICTED 3', 'give 3'],
      ...['write 1', 'put 1: 1 tracked', 'EVICTED 1', 'give 1'],
      ...['write 2', 'put 1: 2 tracked', 'EVICTED 2', 'give 2'],
      'batch 3 3 direct',
    ]);
  });

  it('puts, clears TRACKED, uncharges, frees: in this order', () => {
    const fixture = new Fixture({ hasCharge: true });
    fixture.mark(5);
    fixture.frames.setGroup(5, 7);
    fixture.run((thread) => fixture.reclaimer.batch(thread));
    expect(fixture.log.slice(4)).toEqual([
      'write 5',
      'put 1: 5 tracked',
      'EVICTED 5',
      'uncharge group 7',
      'give 5',
      'batch 1 1 direct',
    ]);
    expect(fixture.frames.group(5)).toBe(NONE);
  });

  it('puts a skipped page back at the tail before it puts the owner', () => {
    const fixture = new Fixture();
    fixture.mark(1, 2, 3, 4, 5);
    fixture.owner.scripts.set(1, { young: true });
    fixture.run((thread) => fixture.reclaimer.batch(thread));
    expect(fixture.log.slice(4, 7)).toEqual(['young 1', 'YOUNG 1', 'put 1: 1 tracked on reclaimable']);
    expect(fixture.reclaimable()).toEqual([5, 1]);
  });

  it.each(verdicts())('%s', (_, script, calls, where) => {
    const fixture = new Fixture();
    fixture.mark(1, 2);
    fixture.owner.scripts.set(1, script);
    expect(fixture.run((thread) => fixture.reclaimer.batch(thread))).toBe(1);
    expect(fixture.log.filter((line) => / 1( |$)/.test(line) && !line.startsWith('batch'))).toEqual(calls);
    expect([fixture.reclaimable(), fixture.isTracked(1)]).toEqual(where);
    expect([fixture.frames.kind(1), fixture.pool.free]).toEqual([fixture.owner.kind, 1]);
  });

  it('of nothing ends at once', () => {
    const fixture = new Fixture();
    expect(fixture.run((thread) => fixture.reclaimer.batch(thread))).toBe(0);
    expect(fixture.log).toEqual(['batch 0 0 direct']);
  });

  it.each([1, 4, 16, 64])('of at most %i pages', (batchPages) => {
    const fixture = new Fixture({ pageCount: 40, batchPages });
    fixture.mark(...Array.from({ length: 40 }, (_, page) => page));
    const expected = Math.min(batchPages, 40);
    expect(fixture.run((thread) => fixture.reclaimer.batch(thread))).toBe(expected);
    expect(fixture.log.at(-1)).toBe(`batch ${expected} ${expected} direct`);
    expect(fixture.reclaimable()).toHaveLength(40 - expected);
    const firstWrite = fixture.log.findIndex((line) => line.startsWith('write'));
    expect(fixture.log.findLastIndex((line) => line.startsWith('block'))).toBe(firstWrite - 1);
  });

  it('is greedy: what is put back is seen again by a later batch only', () => {
    const fixture = new Fixture({ batchPages: 16 });
    fixture.mark(1, 2);
    fixture.owner.scripts.set(1, { young: true }).set(2, { young: true });
    fixture.run((thread) => fixture.reclaimer.batch(thread));
    expect(fixture.log.filter((line) => line.startsWith('young'))).toEqual(['young 1', 'young 2']);
  });

  it('counts a dying page as one of its pages', () => {
    const fixture = new Fixture({ batchPages: 2 });
    fixture.mark(1, 2, 3);
    fixture.owner.scripts.set(1, { get: Pin.GONE });
    expect(fixture.run((thread) => fixture.reclaimer.batch(thread))).toBe(1);
    expect(fixture.log.at(-1)).toBe('batch 1 1 direct');
    expect(fixture.reclaimable()).toEqual([3]);
  });
});

describe('several batches at once', () => {
  it('have chunks of their own and share no page', () => {
    const fixture = new Fixture({ pageCount: 32 });
    fixture.mark(...Array.from({ length: 12 }, (_, page) => page));
    const freed: number[] = [];
    let depth = 0;
    fixture.owner.during = (operation) => {
      if (operation !== 'block' || depth === 2) return;
      depth++;
      const cpu = depth - 1;
      const thread = cpu === 0 ? fixture.thread(1) : fixture.ksgxd;
      freed.push(fixture.machine.run(thread, fixture.reclaimer.batch(thread)));
    };
    freed.push(fixture.run((thread) => fixture.reclaimer.batch(thread)));
    expect(freed).toEqual([4, 4, 4]);
    expect(fixture.log.filter((line) => line.startsWith('give'))).toHaveLength(12);
    expect(new Set(fixture.log.filter((line) => line.startsWith('write'))).size).toBe(12);
    expect(fixture.log.filter((line) => line.startsWith('batch'))).toEqual([
      'batch 4 4 daemon',
      'batch 4 4 direct',
      'batch 4 4 direct',
    ]);
  });
});

/** Ways in which page 1 stays: what is called for it, and where it is afterwards (list, TRACKED). */
function verdicts(): [string, PageScript, string[], [number[], boolean]][] {
  const prepared = ['get 1', 'young 1', 'prepare 1'];
  const listed = 'put 1: 1 tracked on reclaimable';
  return [
    ['young', { young: true }, ['get 1', 'young 1', 'YOUNG 1', listed], [[1], true]],
    ['prepare: busy', { prepare: Prepared.BUSY }, [...prepared, 'BUSY 1', listed], [[1], true]],
    ['prepare: gone', { prepare: Prepared.GONE }, [...prepared, 'GONE 1', 'put 1: 1'], [[], false]],
    ['block: busy', { block: Blocked.BUSY }, [...prepared, 'block 1', 'BUSY 1', listed], [[1], true]],
    ['block: dead', { block: Blocked.DEAD }, [...prepared, 'block 1', 'GONE 1', 'put 1: 1'], [[], false]],
    [
      'write: kept, which leaves the page to its owner',
      { write: Written.KEPT },
      [...prepared, 'block 1', 'write 1', 'put 1: 1 tracked', 'KEPT 1'],
      [[], false],
    ],
    [
      'write: busy',
      { write: Written.BUSY },
      [...prepared, 'block 1', 'write 1', 'BUSY 1', listed],
      [[1], true],
    ],
    ['get: gone', { get: Pin.GONE }, ['get 1', 'GONE 1'], [[], false]],
  ];
}
