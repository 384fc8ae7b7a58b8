import { describe, expect, it } from 'vitest';
import { LockOrder } from '../src/index.js';
import { hold, machineOf, take, taskOn } from './set-up.js';

function nest(names: readonly string[], machine = machineOf(1)) {
  const thread = taskOn(machine, 0, `holder of ${names.join(' ')}`);
  const locks = names.map((name) => machine.mutex(name));
  machine.run(
    thread,
    (function* () {
      for (const lock of locks) yield* take(thread, lock);
      for (const lock of locks) lock.release(thread);
    })(),
  );
  return machine;
}

const contradiction = 'Locks are nested in contradicting orders.';

describe('lock order', () => {
  it('remembers which class was taken inside of which', () => {
    const machine = nest(['a', 'b', 'c']);
    expect(machine.lockOrder.pairs()).toEqual([
      ['a', 'b'],
      ['a', 'c'],
      ['b', 'c'],
    ]);
    expect(machine.lockOrder.maxNesting).toBe(3);
  });

  it('finds the opposite nesting, although nobody had to wait', () => {
    const machine = nest(['a', 'b']);
    expect(() => nest(['b', 'a'], machine)).toThrow(
      expect.objectContaining({
        message: contradiction,
        details: ['holder of b a takes a while holding b', 'held: b', 'seen before: a > b'],
      }),
    );
  });

  it('finds a circle over several classes', () => {
    const machine = nest(['a', 'b']);
    nest(['b', 'c'], machine);
    nest(['c', 'd'], machine);
    expect(() => nest(['d', 'a'], machine)).toThrow(contradiction);
  });

  it('is content with any order that has no circle', () => {
    const machine = nest(['a', 'b']);
    nest(['c', 'b'], machine);
    nest(['a', 'c'], machine);
    expect(() => nest(['a', 'c', 'b'], machine)).not.toThrow();
  });

  it('refuses two locks of one class at once', () => {
    expect(() => nest(['encl', 'encl'])).toThrow(contradiction);
  });

  it('counts a reader as a holder', () => {
    const machine = nest(['mm', 'encl']);
    const thread = taskOn(machine, 0);
    const encl = machine.mutex('encl');
    const mm = machine.rwLock('mm');
    const reversed = function* () {
      yield* take(thread, encl);
      while (mm.mustWaitRead(thread)) yield mm.acquireRead;
    };
    expect(() => machine.run(thread, reversed())).toThrow(contradiction);
  });

  it('allows locks to be given back in any order', () => {
    const machine = machineOf(1);
    const thread = taskOn(machine, 0);
    const [a, b, c] = [machine.mutex('a'), machine.mutex('b'), machine.mutex('c')];
    const crossed = function* () {
      yield* take(thread, a);
      yield* take(thread, b);
      a.release(thread);
      yield* take(thread, c);
      b.release(thread);
      c.release(thread);
    };
    machine.run(thread, crossed());
    expect(machine.lockOrder.pairs()).toEqual([
      ['a', 'b'],
      ['b', 'c'],
    ]);
    expect(thread.held).toEqual([]);
  });

  it('knows a class by its name', () => {
    const order = new LockOrder();
    expect([order.classOf('a'), order.classOf('b'), order.classOf('a')]).toEqual([0, 1, 0]);
  });

  it('has room for 64 classes', () => {
    const order = new LockOrder();
    for (let i = 0; i < 64; i++) order.classOf(`class ${i}`);
    expect(order.classOf('class 63')).toBe(63);
    expect(() => order.classOf('one more')).toThrow('Too many lock classes.');
  });

  it('refuses what is given back without being held', () => {
    const machine = machineOf(1);
    const thread = taskOn(machine, 0);
    const stranger = { name: 'a', lockClass: 0, giveBack: () => {} };
    expect(() => machine.lockOrder.released(thread, stranger)).toThrow('releases a without holding it');
  });

  it('holds in the timed world too', () => {
    const machine = machineOf(2);
    const [first, second] = [taskOn(machine, 0), taskOn(machine, 1)];
    const [a, b] = [machine.mutex('a'), machine.spinLock('b')];
    machine.start(first, hold(first, a, 10));
    machine.start(second, hold(second, b, 10));
    machine.runTimed();
    expect(machine.lockOrder.pairs()).toEqual([]);
  });
});
