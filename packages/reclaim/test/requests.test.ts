import { Pin } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import { createReclaimer, watermarks } from '../src/index.js';
import { Fixture } from './fixture.js';

const range = (count: number): number[] => Array.from({ length: count }, (_, page) => page);

describe('a batch that somebody has asked for', () => {
  it('is as large as was asked, and counts what it looked at and evicted', () => {
    const fixture = new Fixture({ pageCount: 16, batchPages: 4 });
    fixture.mark(...range(16));
    fixture.owner.scripts.set(0, { get: Pin.GONE }).set(1, { young: true });
    const request = fixture.request(10);
    expect(fixture.run((thread) => fixture.reclaimer.batch(thread, request))).toBe(8);
    expect([request.lookedAt, request.evicted]).toEqual([10, 8]);
    request.maxPages = 1;
    fixture.run((thread) => fixture.reclaimer.batch(thread, request));
    expect([request.lookedAt, request.evicted]).toEqual([11, 9]);
  });

  it('does not ask for the age of pages if it is to be ignored', () => {
    const fixture = new Fixture();
    fixture.mark(1, 2);
    for (const page of [1, 2]) fixture.owner.scripts.set(page, { young: true });
    const request = { ...fixture.request(4), isAgeIgnored: true };
    expect(fixture.run((thread) => fixture.reclaimer.batch(thread, request))).toBe(2);
    expect(fixture.log.some((line) => line.startsWith('young'))).toBe(false);
  });

  it('of a group is reported', () => {
    const fixture = new Fixture();
    fixture.mark(1, 2, 3);
    const request = { ...fixture.request(2), target: 5 };
    fixture.run((thread) => fixture.reclaimer.batch(thread, request));
    expect(fixture.log.at(-1)).toBe('group 5: 2 of 2');
    expect(fixture.reclaimable()).toEqual([3]);
  });
});

describe('a batch over everything that scans', () => {
  const scanning = (fixture: Fixture, scanPages: number) => {
    const { lists, batch, pool, machine, ksgxd } = fixture;
    const parts = { lists, batch, pool, wake: watermarks({ low: 0, high: 0 }), locks: machine, probe: null };
    return createReclaimer({ batchPages: 4, daemons: [{ thread: ksgxd.id }], scanPages }, parts);
  };

  it.each([
    [0, 4],
    [4, 4],
    [5, 8],
    [16, 16],
    [40, 20],
  ])('%i pages looks at %i', (scanPages, looked) => {
    const fixture = new Fixture({ pageCount: 32 });
    fixture.mark(...range(20));
    const reclaimer = scanning(fixture, scanPages);
    expect(fixture.run((thread) => reclaimer.batch(thread))).toBe(looked);
  });

  it('ends when a round found none', () => {
    const fixture = new Fixture();
    const reclaimer = scanning(fixture, 16);
    expect(fixture.run((thread) => reclaimer.batch(thread))).toBe(0);
    expect(fixture.log).toEqual(['batch 0 0 direct']);
  });

  it('of a group is one round', () => {
    const fixture = new Fixture({ pageCount: 32 });
    fixture.mark(...range(20));
    const reclaimer = scanning(fixture, 16);
    const request = { ...fixture.request(4), target: 3 };
    expect(fixture.run((thread) => reclaimer.batch(thread, request))).toBe(4);
  });
});
