import type { Blocker } from './blocker.js';
import type { MachineThread } from './thread.js';

/** Remembers turns of loops, and since when nothing has changed. */
export class Progress {
  /** Object that threads wait on for a change. */
  readonly object: number;
  /** Counts changes of shared state in the explored world. */
  changes = 0;
  /** Only a search makes threads wait for changes; elsewhere a loop pays for each turn. */
  isWaiting = false;
  /** Tells the checking mode that a step depends on {@link changes}. */
  look: () => void = () => {};
  readonly #turns = new Map<string, number>();

  constructor(object: number) {
    this.object = object;
  }

  /** A loop is at (`site`, `key`). @returns true if it was there before and nothing has changed since */
  turn(thread: MachineThread, site: string, key: number): boolean {
    if (!this.isWaiting) return false;
    this.look();
    const place = `${thread.id} ${site} ${key}`;
    if (this.#turns.get(place) === this.changes) {
      thread.blockedOn = new ChangeWait(this, site, place);
      return true;
    }
    this.#turns.set(place, this.changes);
    return false;
  }

  /** A thread that waited for a change goes on: its next turn at that place needs a further change. */
  resumed(thread: MachineThread): void {
    const wait = thread.blockedOn;
    if (!(wait instanceof ChangeWait)) return;
    this.look();
    this.#turns.set(wait.place, this.changes);
    thread.blockedOn = null;
  }

  /** Forgets all turns. */
  reset(): void {
    this.#turns.clear();
    this.changes = 0;
  }
}

/** Waits until shared state has changed. */
export class ChangeWait implements Blocker {
  readonly isIdle = false;
  readonly spins = false;
  readonly name: string;
  /** Turn that was made in vain. */
  readonly place: string;
  readonly #progress: Progress;
  readonly #since: number;

  constructor(progress: Progress, site: string, place: string) {
    this.name = `a change (${site})`;
    this.place = place;
    this.#progress = progress;
    this.#since = progress.changes;
  }

  canProceed(): boolean {
    return this.#progress.changes !== this.#since;
  }

  holders(): readonly MachineThread[] {
    return [];
  }
}
