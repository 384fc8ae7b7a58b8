/** Vector clock over dense thread ids. */
export class VectorClock {
  readonly #times: number[] = [];

  /** Clock under `key`, made (and prepared by `first`) on first use. */
  static in(
    clocks: Map<number, VectorClock>,
    key: number,
    first?: (clock: VectorClock) => void,
  ): VectorClock {
    let clock = clocks.get(key);
    if (clock === undefined) {
      clock = new VectorClock();
      first?.(clock);
      clocks.set(key, clock);
    }
    return clock;
  }

  /** Last known time of `thread`. */
  at(thread: number): number {
    return this.#times[thread] ?? 0;
  }

  /** Own step of `thread`. */
  tick(thread: number): void {
    this.#times[thread] = this.at(thread) + 1;
  }

  /** Learns what `other` knows. */
  join(other: VectorClock): void {
    other.#times.forEach((time, thread) => {
      if (time > this.at(thread)) this.#times[thread] = time;
    });
  }
}
