import type { Op, RefCount, SharedNumber } from '@epckit/interface';
import { Cost, InvariantViolation, Mode, op, opMode } from '@epckit/interface';
import type { MachineThread } from './thread.js';
import type { Shared } from './world.js';

/** Object of a lockless variable; the checking mode sees that each use was announced. */
class Announced {
  readonly name: string;
  readonly reading: Op;
  readonly writing: Op;
  readonly adding: Op;
  protected readonly shared: Shared;

  constructor(name: string, shared: Shared) {
    this.name = name;
    this.shared = shared;
    const object = shared.objects.range(name, 1);
    this.reading = op(object, Mode.READ);
    this.writing = op(object, Mode.WRITE);
    this.adding = op(object, Mode.ADD);
  }

  /** `isChange`: others may wait for it. */
  protected used(thread: MachineThread, announcement: Op, isChange: boolean): void {
    this.shared.checking?.used(thread, announcement, opMode(announcement), isChange);
    thread.spend(Cost.STEP);
  }
}

/** Lockless shared number. */
export class ModelSharedNumber extends Announced implements SharedNumber {
  #value: number;

  constructor(name: string, initial: number, shared: Shared) {
    super(name, shared);
    this.#value = initial;
  }

  read(thread: MachineThread): number {
    this.used(thread, this.reading, false);
    return this.#value;
  }

  write(thread: MachineThread, value: number): void {
    this.used(thread, this.writing, true);
    this.#value = value;
  }

  add(thread: MachineThread, amount: number): void {
    this.used(thread, this.adding, true);
    this.#value += amount;
  }

  exchange(thread: MachineThread, value: number): number {
    this.used(thread, this.writing, true);
    const before = this.#value;
    this.#value = value;
    return before;
  }

  get value(): number {
    return this.#value;
  }
}

/** Reference count. Its changes wake nobody: taking and dropping a reference is no progress. */
export class ModelRefCount extends Announced implements RefCount {
  #value: number;

  constructor(name: string, initial: number, shared: Shared) {
    super(name, shared);
    this.#value = initial;
  }

  get(thread: MachineThread): void {
    this.used(thread, this.adding, false);
    if (this.#value === 0) throw this.#dead(thread, 'takes a reference of a dead object');
    this.#value++;
  }

  getUnlessZero(thread: MachineThread): boolean {
    this.used(thread, this.writing, false);
    if (this.#value === 0) return false;
    this.#value++;
    return true;
  }

  put(thread: MachineThread): boolean {
    this.used(thread, this.writing, false);
    if (this.#value === 0) throw this.#dead(thread, 'drops a reference of a dead object');
    this.#value--;
    return this.#value === 0;
  }

  get value(): number {
    return this.#value;
  }

  #dead(thread: MachineThread, what: string): InvariantViolation {
    return new InvariantViolation(`${thread.name} ${what}: ${this.name}.`, []);
  }
}
