import type { Routine } from '@epckit/interface';
import { Cost } from '@epckit/interface';
import { expect, it } from 'vitest';
import { createMachine } from '../src/index.js';

it('a thread that ends in the middle gives back what it holds, in whatever way', () => {
  const machine = createMachine({ cpus: [{ node: 0 }] });
  const [thread, next] = [0, 1].map((id) => machine.createThread({ name: `t${id}`, cpu: 0 })) as [
    ReturnType<typeof machine.createThread>,
    ReturnType<typeof machine.createThread>,
  ];
  const written = machine.rwLock('written');
  const other = machine.rwLock('written');
  const read = machine.rwLock('read');
  const mutex = machine.mutex('mutex');
  const spin = machine.spinLock('spin');
  const takeAll = function* (by: typeof thread): Routine<void> {
    while (written.mustWaitWrite(by)) yield written.acquireWrite;
    while (other.mustWaitWrite(by, true)) yield other.acquireWrite;
    while (read.mustWaitRead(by)) yield read.acquireRead;
    while (mutex.mustWait(by)) yield mutex.acquire;
    while (spin.mustWait(by)) yield spin.acquire;
  };
  machine.run(thread, takeAll(thread));
  expect(thread.held.map(({ name }) => name)).toEqual(['written', 'written/1', 'read', 'mutex', 'spin']);
  thread.giveBackLocks();
  expect([thread.held, thread.spinDepth]).toEqual([[], 0]);
  machine.run(next, takeAll(next));
  next.giveBackLocks();
  expect(next.held).toEqual([]);
});

it('IPIs of a guest cost more per target', () => {
  const machine = createMachine({ cpus: [{ node: 0 }, { node: 0 }] });
  const thread = machine.createThread({ name: 't', cpu: 0 });
  const handler = { arrive: () => false, leave: () => {} };
  const cpus = { next: (from: number) => (from <= 1 ? 1 : -1) } as never;
  machine.run(thread, machine.createIpi(handler, null, true).send(thread, cpus));
  machine.run(thread, machine.createIpi(handler, null).send(thread, cpus));
  expect([thread.counts[Cost.IPI_GUEST], thread.counts[Cost.IPI_CPU]]).toEqual([1, 1]);
});
