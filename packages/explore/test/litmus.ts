import type { Lock, Routine, SharedNumber, Thread } from '@epckit/interface';
import { InvariantViolation, Mode, op } from '@epckit/interface';
import { createCpuSet } from '@epckit/mm';
import type { Case } from '../src/index.js';
import { castCase } from './threads.js';

function expectValue(number: SharedNumber, expected: number): void {
  if (number.value === expected) return;
  throw new InvariantViolation(`${number.name} is ${number.value}, not ${expected}.`);
}

function* increment(thread: Thread, number: SharedNumber): Routine<void> {
  if (thread.clock > thread.limit) yield number.reading;
  const before = number.read(thread);
  if (thread.clock > thread.limit) yield number.writing;
  number.write(thread, before + 1);
}

/** Two threads read, add one and write: one addition gets lost. */
export const lostUpdate: Case = castCase('lost update', (machine) => {
  const count = machine.sharedNumber('count', 0);
  const routine = (thread: Thread) => increment(thread, count);
  return { threads: [routine, routine], check: () => expectValue(count, 2), state: () => `${count.value}` };
});

/** The same with an indivisible addition. */
export const atomicAdd: Case = castCase('atomic add', (machine) => {
  const count = machine.sharedNumber('count', 0);
  function* routine(thread: Thread): Routine<void> {
    if (thread.clock > thread.limit) yield count.adding;
    count.add(thread, 1);
  }
  return { threads: [routine, routine], check: () => expectValue(count, 2), state: () => `${count.value}` };
});

/** The same under a lock, by `threads` threads. */
export function lockedCounter(threads: number): Case {
  return castCase(`locked counter of ${threads}`, (machine) => {
    const count = machine.sharedNumber('count', 0);
    const lock = machine.spinLock('count_lock');
    function* routine(thread: Thread): Routine<void> {
      while (lock.mustWait(thread)) yield lock.acquire;
      yield* increment(thread, count);
      lock.release(thread);
    }
    return {
      threads: Array.from({ length: threads }, () => routine),
      check: () => expectValue(count, threads),
      state: () => `${count.value}`,
    };
  });
}

/** Two locks taken in opposite orders: the lock-order check needs no unlucky schedule to see it. */
export const oppositeLocks: Case = castCase('opposite locks', (machine) => {
  const [a, b] = ['a_lock', 'b_lock'].map((name) => machine.mutex(name)) as [Lock, Lock];
  function* both(thread: Thread, first: Lock, second: Lock): Routine<void> {
    while (first.mustWait(thread)) yield first.acquire;
    while (second.mustWait(thread)) yield second.acquire;
    second.release(thread);
    first.release(thread);
  }
  return { threads: [(thread) => both(thread, a, b), (thread) => both(thread, b, a)] };
});

/** A grace period under a mutex that readers take: no order of lock classes is broken. */
export const graceUnderMutex: Case = castCase('grace period under a mutex', (machine) => {
  const mutex = machine.mutex('mutex');
  const domain = machine.srcu('domain');
  function* reader(thread: Thread): Routine<void> {
    const index = domain.enter(thread);
    while (mutex.mustWait(thread)) yield mutex.acquire;
    mutex.release(thread);
    domain.leave(thread, index);
  }
  function* updater(thread: Thread): Routine<void> {
    while (mutex.mustWait(thread)) yield mutex.acquire;
    yield* domain.synchronize(thread);
    mutex.release(thread);
  }
  return { threads: [reader, updater], state: () => 'ended' };
});

/** Uses a lockless variable without stopping before it. */
export const unannounced: Case = castCase('unannounced access', (machine) => {
  const free = machine.sharedNumber('free', 3);
  function* routine(thread: Thread): Routine<void> {
    if (thread.clock > thread.limit) yield free.reading;
    if (free.read(thread) > 0) free.add(thread, -1);
  }
  return { threads: [routine] };
});

/** Plain accesses of one object by two threads; `isLocked` orders them. */
export function plainAccess(isLocked: boolean): Case {
  return castCase(isLocked ? 'ordered plain access' : 'unordered plain access', (machine) => {
    const lock = machine.spinLock('owner_lock');
    const owner = machine.objects.range('owner', 1);
    const other = machine.sharedNumber('other', 0);
    function* writer(thread: Thread): Routine<void> {
      while (lock.mustWait(thread)) yield lock.acquire;
      machine.checking?.write(owner);
      lock.release(thread);
    }
    function* reader(thread: Thread): Routine<void> {
      if (thread.clock > thread.limit) yield other.reading;
      other.read(thread);
      while (isLocked && lock.mustWait(thread)) yield lock.acquire;
      machine.checking?.read(owner);
      if (isLocked) lock.release(thread);
    }
    return { threads: [writer, reader] };
  });
}

/** `takers` threads each take a page or try again; `givers` threads each give one. */
export function retryUntilFree(takers: number, givers: number): Case {
  return castCase(`${takers} taking, ${givers} giving`, (machine) => {
    const free = machine.sharedNumber('free', 0);
    function* take(thread: Thread): Routine<void> {
      for (;;) {
        if (thread.clock > thread.limit) yield free.writing;
        if (free.value > 0) return free.write(thread, free.value - 1);
        if (thread.turn('take', 0)) yield thread.changeWaiting;
      }
    }
    function* give(thread: Thread): Routine<void> {
      if (thread.clock > thread.limit) yield free.adding;
      free.add(thread, 1);
    }
    const threads = [
      ...Array.from({ length: takers }, () => take),
      ...Array.from({ length: givers }, () => give),
    ];
    return { threads, state: () => `${free.value}` };
  });
}

/** Sleeps until a flag is set; the broken variant looks at the flag before it becomes a sleeper. */
export function sleepUntilSet(isBroken: boolean): Case {
  return castCase(isBroken ? 'lost wake-up' : 'wake-up', (machine) => {
    const flag = machine.sharedNumber('flag', 0);
    const queue = machine.waitQueue('flag_wait');
    const sleeps = machine.sharedNumber('sleeps', 0);
    let isAwake = false;
    function* isSet(thread: Thread): Routine<boolean> {
      if (thread.clock > thread.limit) yield flag.reading;
      return flag.read(thread) === 1;
    }
    function* sleeper(thread: Thread): Routine<void> {
      for (;;) {
        if (!isBroken) queue.prepare(thread);
        if (yield* isSet(thread)) break;
        if (thread.clock > thread.limit) yield sleeps.adding;
        sleeps.add(thread, 1);
        if (isBroken) queue.prepare(thread);
        yield* queue.sleep(thread);
      }
      queue.finish(thread);
      isAwake = true;
    }
    function* waker(thread: Thread): Routine<void> {
      if (thread.clock > thread.limit) yield flag.writing;
      flag.write(thread, 1);
      queue.wake(thread);
    }
    function check(): void {
      if (!isAwake) throw new InvariantViolation('The sleeper sleeps for ever.');
    }
    return { threads: [sleeper, waker], check, state: () => `${isAwake}` };
  });
}

/** Two readers and a writer of a pair of numbers that must be seen together. */
export const readersAndWriter: Case = castCase('readers and writer', (machine) => {
  const lock = machine.rwLock('mmap_lock');
  const pair = ['left', 'right'].map((name) => machine.objects.range(name, 1));
  const seen: number[] = [0, 0];
  let version = 0;
  function* read(thread: Thread): Routine<void> {
    while (lock.mustWaitRead(thread)) yield lock.acquireRead;
    for (const half of pair) machine.checking?.read(half);
    seen[thread.id - 1] = version;
    lock.releaseRead(thread);
  }
  function* write(thread: Thread): Routine<void> {
    while (lock.mustWaitWrite(thread)) yield lock.acquireWrite;
    for (const half of pair) machine.checking?.write(half);
    version++;
    lock.releaseWrite(thread);
  }
  return { threads: [read, read, write], state: () => seen.join() };
});

/** A reader uses what it finds; the updater unlinks it and frees it, `waits` for a grace period or not. */
export function unlinkAndFree(waits: boolean): Case {
  return castCase(waits ? 'free after a grace period' : 'free at once', (machine, mark) => {
    const domain = machine.srcu('mm_list');
    const entry = machine.sharedNumber('entry', 1);
    const content = machine.sharedNumber('content', 1);
    function* reader(thread: Thread): Routine<void> {
      const index = domain.enter(thread);
      if (thread.clock > thread.limit) yield entry.reading;
      if (entry.read(thread) === 1) {
        if (thread.clock > thread.limit) yield content.reading;
        if (content.read(thread) === 0) throw new InvariantViolation('Used after free.');
        mark('used');
      }
      domain.leave(thread, index);
    }
    function* updater(thread: Thread): Routine<void> {
      if (thread.clock > thread.limit) yield entry.writing;
      entry.write(thread, 0);
      if (waits) yield* domain.synchronize(thread);
      if (thread.clock > thread.limit) yield content.writing;
      content.write(thread, 0);
    }
    return { threads: [reader, updater] };
  });
}

/** A thread writes, interrupts another CPU and waits for the answer, while a thread there goes on. */
export const ipiRound: Case = castCase('IPI round', (machine, mark) => {
  const inside = machine.objects.range('inside', 1);
  const leaving = op(inside, Mode.WRITE);
  let isInside = true;
  let answers = -1;
  function arrive(): boolean {
    machine.checking?.atomic(inside, Mode.READ);
    return isInside;
  }
  const ipi = machine.createIpi({ arrive, leave() {} }, null);
  function* sender(thread: Thread): Routine<void> {
    const cpus = createCpuSet(machine.cpuCount);
    cpus.add(1);
    answers = yield* ipi.send(thread, cpus);
  }
  function* neighbour(thread: Thread): Routine<void> {
    if (thread.clock > thread.limit) yield leaving;
    machine.checking?.atomic(inside, Mode.WRITE);
    isInside = false;
    if (answers < 0) mark('left during the round');
  }
  return { threads: [sender, neighbour], state: () => `${answers} interrupted` };
});
