import type { Lock, Routine, SharedNumber, Thread } from '@epckit/interface';
import { Mode, op } from '@epckit/interface';
import type { Machine, MachineThread } from '@epckit/machine';
import { createMachine } from '@epckit/machine';
import type { Case } from '../src/index.js';

/** One operation of a thread of a small program. */
export type Instruction =
  | { readonly kind: 'read' | 'write' | 'add' | 'lock' | 'unlock' | 'sync' | 'branch'; readonly at: number }
  | { readonly kind: 'local' };

/** Locks and variables of a running program, and what its threads have seen. */
class Memory {
  readonly locks: Lock[];
  readonly numbers: SharedNumber[];
  readonly seen: number[][] = [];
  readonly domain;
  readonly queue;
  readonly rwLock;
  readonly idle: SharedNumber;
  readonly cells = [0, 0, 0];
  readonly firstCell: number;
  readonly #machine: Machine;

  constructor(machine: Machine) {
    const places = [0, 1, 2];
    this.locks = places.map((place) => machine.mutex(`lock ${place}`));
    this.numbers = places.map((place) => machine.sharedNumber(`number ${place}`, 0));
    this.domain = machine.srcu('domain');
    this.queue = machine.waitQueue('queue');
    this.rwLock = machine.rwLock('rwLock');
    this.idle = machine.sharedNumber('idle', 0);
    this.firstCell = machine.objects.range('cell', 3);
    this.#machine = machine;
  }

  /** What it touches depends on what it finds. */
  branch(thread: Thread, at: number, seen: number[]): void {
    const next = (at + 1) % 3;
    const last = (at + 2) % 3;
    this.#machine.checking?.atomic(this.firstCell + at, Mode.READ);
    if (this.cells[at] === 0) {
      this.#machine.checking?.atomic(this.firstCell + next, Mode.WRITE);
      this.cells[next] = thread.id;
    } else {
      this.#machine.checking?.atomic(this.firstCell + last, Mode.READ);
      seen.push(this.cells[last] as number);
    }
  }
}

function* run(memory: Memory, thread: Thread, program: readonly Instruction[]): Routine<void> {
  const seen: number[] = [];
  memory.seen[thread.id - 1] = seen;
  for (const [place, instruction] of program.entries()) {
    if (instruction.kind === 'local') {
      yield memory.idle.reading;
      continue;
    }
    const { at } = instruction;
    const number = memory.numbers[at] as SharedNumber;
    const lock = memory.locks[at] as Lock;
    switch (instruction.kind) {
      case 'read':
        yield number.reading;
        seen.push(number.read(thread));
        break;
      case 'write':
        yield number.writing;
        number.write(thread, thread.id * 10 + place);
        break;
      case 'add':
        yield number.adding;
        number.add(thread, thread.id);
        break;
      case 'lock':
        if (!lock.isHeldBy(thread)) while (lock.mustWait(thread)) yield lock.acquire;
        break;
      case 'unlock':
        if (lock.isHeldBy(thread)) lock.release(thread);
        break;
      case 'branch':
        yield op(memory.firstCell + at, Mode.READ);
        memory.branch(thread, at, seen);
        break;
      case 'sync':
        yield* other(memory, thread, at, seen);
    }
  }
  for (const lock of memory.locks) if (lock.isHeldBy(thread)) lock.release(thread);
}

/** The rarer primitives, one per place: reader-writer lock, SRCU, wait queue. */
function* other(memory: Memory, thread: Thread, at: number, seen: number[]): Routine<void> {
  const first = memory.numbers[0] as SharedNumber;
  if (at === 0) {
    while (memory.rwLock.mustWaitRead(thread)) yield memory.rwLock.acquireRead;
    yield first.reading;
    seen.push(first.read(thread));
    memory.rwLock.releaseRead(thread);
  } else if (at === 1) {
    while (memory.rwLock.mustWaitWrite(thread)) yield memory.rwLock.acquireWrite;
    yield first.writing;
    first.write(thread, 99);
    memory.rwLock.releaseWrite(thread);
  } else if (at === 2) {
    const index = memory.domain.enter(thread);
    yield first.reading;
    seen.push(first.read(thread));
    memory.domain.leave(thread, index);
  } else if (at === 3) {
    yield* memory.domain.synchronize(thread);
    seen.push(-1);
  } else if (at === 4) {
    memory.queue.prepare(thread);
    yield first.reading;
    if (first.read(thread) === 0) yield* memory.queue.sleep(thread);
    memory.queue.finish(thread);
  } else if (at === 5) {
    seen.push(memory.queue.wake(thread) ? 1 : 0);
  } else {
    for (;;) {
      yield first.reading;
      if (first.read(thread) !== 0) break;
      if (thread.turn('retry', 0)) yield thread.changeWaiting;
    }
  }
}

/** A case whose threads run small programs. */
export function programCase(name: string, programs: readonly (readonly Instruction[])[]): Case {
  return {
    name,
    setup() {
      const machine = createMachine({ cpus: [{ node: 0 }], checking: true });
      const memory = new Memory(machine);
      const threads: MachineThread[] = programs.map((_, index) =>
        machine.createThread({ name: `T${index + 1}`, cpu: 0 }),
      );
      threads.forEach((thread, index) => {
        machine.start(thread, run(memory, thread, programs[index] as readonly Instruction[]));
      });
      return {
        machine,
        state: () =>
          JSON.stringify([memory.cells, memory.numbers.map((number) => number.value), memory.seen]),
      };
    },
  };
}
