import type { AccessMonitor, ObjectRegistry, Op } from '@epckit/interface';
import { Mode, op } from '@epckit/interface';

/** What the host has done to a SECS since it was asked last. */
export const HostMark = {
  /** began a tracking cycle */
  TRACKED: 1,
  /** held the page or its tracking resource during a leaf */
  LOCKED: 2,
} as const;
/** Value of {@link HostMark}. */
export type HostMarkId = (typeof HostMark)[keyof typeof HostMark];

/**
 * Excuses for conflict exits: the host marks a SECS before a leaf that a guest's leaf can conflict with, and the exit
 * handler takes the mark. A mark excuses one repetition, and as many more as come while the SECS is pinned: until then each
 * taking is followed by {@link renew}.
 *
 * The marker holds the lock of the child's instance, not that of the SECS, so each access is indivisible and
 * announced by {@link at}.
 */
export class HostMarks {
  /** Marks that the host has set while they were not, over all pages: the most repetitions of SECS pages not pinned. */
  made = 0;
  readonly #marks: Uint8Array;
  readonly #monitor: AccessMonitor | null;
  readonly #object: number;

  constructor(pageCount: number, name: string, objects: ObjectRegistry, monitor: AccessMonitor | null) {
    this.#marks = new Uint8Array(pageCount);
    this.#monitor = monitor;
    this.#object = objects.range(`host marks of ${name}`, pageCount);
  }

  /** Op to yield before {@link set} and {@link take}. */
  at(index: number): Op {
    return op(this.#object + index, Mode.WRITE);
  }

  /** Sets bits of {@link HostMark}: the host is about to work on the page. */
  set(index: number, marks: number): void {
    this.#monitor?.atomic(this.#object + index, Mode.WRITE);
    const before = this.#marks[index] as number;
    const fresh = marks & ~before;
    this.made += (fresh & HostMark.TRACKED) + (fresh >> 1);
    this.#marks[index] = before | marks;
  }

  /** Gives a mark back that was just taken, in the same step. The host has done nothing more: not counted. */
  renew(index: number, mark: HostMarkId): void {
    this.#monitor?.atomic(this.#object + index, Mode.WRITE);
    this.#marks[index] = (this.#marks[index] as number) | mark;
  }

  /** Was the mark set? Clears it. */
  take(index: number, mark: HostMarkId): boolean {
    this.#monitor?.atomic(this.#object + index, Mode.WRITE);
    const before = this.#marks[index] as number;
    this.#marks[index] = before & ~mark;
    return (before & mark) !== 0;
  }
}
