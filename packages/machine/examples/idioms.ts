import type { Lock, Routine, RwLock, SharedNumber, SpinLock, Thread, WaitQueue } from '@epckit/interface';
import { Cost } from '@epckit/interface';
import { createCostTable, createMachine, serverCosts } from '@epckit/machine';

const machine = createMachine({
  cpus: [{ node: 0 }, { node: 1 }],
  costs: createCostTable(serverCosts, { WAKEUP: 5000 }),
});
const owner: Lock = machine.mutex('owner');
const list: SpinLock = machine.spinLock('list');
const mmap: RwLock = machine.rwLock('mmap');
const free: SharedNumber = machine.sharedNumber('free', 2);
const queue: WaitQueue = machine.waitQueue('daemon');
let refilled = 0;

/** Takes a page, waking the daemon when it was the last. */
function* take(thread: Thread): Routine<number> {
  // A lock: a point before it, and a wait if somebody holds it. Giving back is never a point.
  while (mmap.mustWaitRead(thread)) yield mmap.acquireRead;
  while (owner.mustWait(thread)) yield owner.acquire;

  // Something that takes time: pay, stop if it is somebody else's turn, act. A leaf announces its page
  // (`hardware.leafAt(page)`), a look at a pending signal this:
  if (thread.spend(Cost.EAUG) > thread.limit) yield thread.signalReading;

  // A loop without a static bound marks its turns, so that one that gets nowhere is found.
  for (;;) {
    // A lockless variable: announce, then use.
    if (thread.clock > thread.limit) yield free.reading;
    if (free.read(thread) > 0) break;
    if (thread.turn('take', 0)) yield thread.changeWaiting;
  }

  // A spinlock section has no points outside of the explored world: it takes effect as a whole.
  while (list.mustWait(thread)) yield list.acquire;
  if (thread.clock > thread.limit) yield free.adding;
  free.add(thread, -1);
  list.release(thread);

  if (thread.clock > thread.limit) yield free.reading;
  const left = free.read(thread);
  if (left === 0) queue.wake(thread);
  owner.release(thread);
  mmap.releaseRead(thread);
  return left;
}

/** A daemon: sleeps until pages are wanted. Prepare, look, sleep: no wake-up is lost. */
function* refill(thread: Thread): Routine<never> {
  for (;;) {
    queue.prepare(thread);
    if (thread.clock > thread.limit) yield free.reading;
    if (free.read(thread) > 0) {
      yield* queue.sleep(thread);
      continue;
    }
    queue.finish(thread);
    if (thread.clock > thread.limit) yield free.adding;
    free.add(thread, 2);
    refilled++;
  }
}

const daemon = machine.createThread({ name: 'daemon', cpu: 1, isKernel: true });
machine.start(daemon, refill(daemon));

const user = machine.createThread({ name: 'user', cpu: 0 });
for (let i = 0; i < 3; i++) {
  const left = machine.run(user, take(user));
  machine.returnToUser();
  console.log(`left ${left}, then free ${free.value}, refilled ${refilled}`);
}
console.log(`user: ${user.clock} cycles, ${user.cycles[Cost.EAUG]} of them EAUG`);
