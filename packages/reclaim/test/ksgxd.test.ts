// biome-ignore-all lint/correctness/useYield: what a test scripts stops nowhere
import { NONE } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import { createReclaimer, watermarks } from '../src/index.js';
import { Fixture } from './fixture.js';

const range = (count: number): number[] => Array.from({ length: count }, (_, page) => page);

/** What the daemon did: wake-ups, sleeps and batches. */
const daemonLog = ({ log }: Fixture): string[] =>
  log.filter((line) => /^(runs|sleeps|woken|batch)/.test(line));

describe('the daemon', () => {
  it('works until the high mark is reached and sleeps', () => {
    const fixture = new Fixture({ pageCount: 40, lowPages: 2, highPages: 10 });
    fixture.mark(...range(40));
    fixture.startDaemon();
    expect(daemonLog(fixture)).toEqual([
      'runs',
      'batch 4 4 daemon',
      'batch 4 4 daemon',
      'batch 4 4 daemon',
      'sleeps',
    ]);
    expect([fixture.pool.free, fixture.reclaimable().length]).toEqual([12, 28]);
  });

  it('works until nothing is left if the high mark is out of reach', () => {
    const fixture = new Fixture({ lowPages: 2, highPages: 100 });
    fixture.mark(...range(6));
    fixture.startDaemon();
    expect(daemonLog(fixture)).toEqual(['runs', 'batch 4 4 daemon', 'batch 2 2 daemon', 'sleeps']);
  });

  it('is woken below the low mark only, by someone who sees something reclaimable', () => {
    const fixture = new Fixture({ lowPages: 2, highPages: 4 });
    fixture.mark(...range(8));
    fixture.startDaemon();
    fixture.log.length = 0;
    const wakes: boolean[] = [];
    for (let free = 4; free > 0; free--) {
      fixture.run((thread) => fixture.pool.take(thread));
      wakes.push(
        fixture.run(function* look(thread) {
          if (thread.clock > thread.limit) yield fixture.reclaimer.freeReadingOn(NONE);
          return fixture.reclaimer.isLow(thread, NONE);
        }),
      );
    }
    expect(wakes).toEqual([false, false, true, true]);
    fixture.run((thread) => fixture.reclaimer.wakeIfUseful(thread, 0));
    fixture.machine.runKernelThreads();
    expect(daemonLog(fixture)).toEqual(['woken', 'runs', 'batch 4 4 daemon', 'sleeps']);
    expect(fixture.reclaimable()).toEqual([]);
    for (let free = 4; free > 0; free--) fixture.run((thread) => fixture.pool.take(thread));
    fixture.log.length = 0;
    fixture.run((thread) => fixture.reclaimer.wakeIfUseful(thread, 0));
    expect(fixture.log).toEqual([]);
  });

  it('looks at its condition after a spurious wake-up and sleeps again', () => {
    const fixture = new Fixture({ lowPages: 2, highPages: 4 });
    fixture.mark(...range(8));
    fixture.startDaemon();
    fixture.log.length = 0;
    fixture.reclaimer.wakeUp(fixture.thread(), false);
    fixture.machine.runKernelThreads();
    expect(daemonLog(fixture)).toEqual(['runs', 'sleeps']);
  });

  it('is woken once, however often it is told so before it runs', () => {
    const fixture = new Fixture({ lowPages: 2, highPages: 4 });
    fixture.mark(...range(8));
    fixture.startDaemon();
    fixture.log.length = 0;
    for (let i = 0; i < 3; i++) fixture.reclaimer.wakeUp(fixture.thread());
    expect(fixture.log).toEqual(['woken', 'woken already', 'woken already']);
    fixture.machine.runKernelThreads();
    expect(daemonLog(fixture).slice(3)).toEqual(['runs', 'sleeps']);
  });

  it('runs what is given to it first', () => {
    const fixture = new Fixture();
    function* boot() {
      fixture.log.push('boot');
    }
    fixture.machine.start(fixture.ksgxd, fixture.reclaimer.main(fixture.ksgxd, boot()));
    fixture.machine.runKernelThreads();
    expect(fixture.log).toEqual(['runs', 'boot', 'sleeps']);
  });

  it('goes on when a batch has freed nothing: everything is old the next time', () => {
    const fixture = new Fixture({ lowPages: 2, highPages: 3 });
    fixture.mark(...range(4));
    for (const page of range(4)) fixture.owner.scripts.set(page, { young: true });
    let batches = 0;
    fixture.owner.during = (operation) => {
      if (operation === 'get' && ++batches > 4) fixture.owner.scripts.clear();
    };
    fixture.startDaemon();
    expect(daemonLog(fixture)).toEqual(['runs', 'batch 4 0 daemon', 'batch 4 4 daemon', 'sleeps']);
  });
});

describe('the marks', () => {
  it('say when to wake and when to go on', () => {
    const wake = watermarks({ low: 32, high: 64 });
    expect([31, 32, 63, 64].map((free) => wake.shouldWake(free, NONE))).toEqual([true, false, false, false]);
    expect([31, 32, 63, 64].map((free) => wake.shouldContinue(free, NONE))).toEqual([
      true,
      true,
      true,
      false,
    ]);
  });

  it.each([
    [0, 0],
    [5, 5],
    [0, 64],
  ])('may be %i and %i', (low, high) => {
    expect(() => watermarks({ low, high })).not.toThrow();
  });

  it.each([
    [-1, 4],
    [5, 4],
    [0.5, 4],
    [0, 4.5],
    [0, Number.POSITIVE_INFINITY],
    [Number.NaN, 4],
  ])('may not be %d and %d', (low, high) => {
    expect(() => watermarks({ low, high })).toThrowError(expect.objectContaining({ code: 'EPCKIT_MISUSE' }));
  });
});

it.each([0, -1, 2.5, Number.NaN])('a batch of %d pages is refused', (batchPages) => {
  const { lists, batch, pool, machine, ksgxd } = new Fixture();
  const components = {
    lists,
    batch,
    pool,
    locks: machine,
    wake: watermarks({ low: 0, high: 0 }),
    probe: null,
  };
  expect(() => createReclaimer({ batchPages, daemons: [{ thread: ksgxd.id }] }, components)).toThrowError(
    expect.objectContaining({ code: 'EPCKIT_MISUSE' }),
  );
});
