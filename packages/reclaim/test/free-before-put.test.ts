import { describe, expect, it } from 'vitest';
import { Fixture } from './fixture.js';
import { FreeBeforePut } from './museum/free-before-put.js';

function museum(): Fixture {
  const fixture = new Fixture({ createBatch: (components) => new FreeBeforePut(components) });
  fixture.pool.forgetsOwner = false;
  return fixture;
}

describe('a batch that frees before it puts (B-01)', () => {
  it('looks right as long as nobody takes the page', () => {
    const fixture = museum();
    fixture.mark(3);
    expect(fixture.run((thread) => fixture.reclaimer.batch(thread))).toBe(1);
    expect(fixture.log.slice(-4)).toEqual(['write 3', 'give 3', 'put 1: 3 on free', 'batch 1 1 direct']);
    expect(fixture.pool.free).toBe(1);
  });

  it('drops the reference of whoever takes the page in between', () => {
    const fixture = museum();
    fixture.mark(3);
    fixture.pool.afterGive = () => {
      const taken = fixture.run((thread) => fixture.pool.take(thread), 1);
      fixture.frames.setOwner(taken, fixture.owner.kind, 2, 0);
    };
    fixture.run((thread) => fixture.reclaimer.batch(thread));
    expect(fixture.log).toContain('put 2: 3');
    expect(fixture.log.some((line) => line.startsWith('put 1:'))).toBe(false);
  });

  it('cannot do so in the order of today', () => {
    const fixture = new Fixture();
    fixture.mark(3);
    fixture.pool.afterGive = () => {
      const taken = fixture.run((thread) => fixture.pool.take(thread), 1);
      fixture.frames.setOwner(taken, fixture.owner.kind, 2, 0);
    };
    fixture.run((thread) => fixture.reclaimer.batch(thread));
    expect(fixture.log.filter((line) => line.startsWith('put'))).toEqual(['put 1: 3 tracked']);
  });
});
