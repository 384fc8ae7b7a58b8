import type { CpuId } from '@epckit/interface';

/**
 * Next event of each CPU, as a tournament: every inner node knows the earlier one of its two halves, the lower CPU at
 * equal times. An event changes in one walk to the root; the earliest and the second earliest are found without a
 * scan. bench/RESULTS.md compares it with a linear scan and with flatqueue.
 */
export class EventTree {
  /** CPU with the earliest event after {@link choose}, `-1` for none. */
  best: CpuId = -1;
  /** How far {@link best} may run before another CPU's event comes. */
  limit = Number.POSITIVE_INFINITY;
  readonly #leaves: number;
  readonly #times: Float64Array;
  /** Winner of each node; node 1 is the root, the leaves come last. */
  readonly #winners: Int32Array;

  constructor(cpuCount: number) {
    let leaves = 2;
    while (leaves < cpuCount) leaves *= 2;
    this.#leaves = leaves;
    this.#times = new Float64Array(leaves).fill(Number.POSITIVE_INFINITY);
    this.#winners = new Int32Array(2 * leaves);
    for (let cpu = 0; cpu < leaves; cpu++) this.#winners[leaves + cpu] = cpu;
    for (let node = leaves - 1; node > 0; node--) this.#winners[node] = this.#winners[2 * node] as number;
  }

  /** The next event of `cpu` is at `time`, infinite for none. */
  set(cpu: CpuId, time: number): void {
    const times = this.#times;
    const winners = this.#winners;
    times[cpu] = time;
    for (let node = (this.#leaves + cpu) >> 1; node > 0; node >>= 1) {
      const left = winners[2 * node] as number;
      const right = winners[2 * node + 1] as number;
      const winner = (times[right] as number) < (times[left] as number) ? right : left;
      // Nothing above knows of the CPU.
      if (winner !== cpu && winners[node] === winner) return;
      winners[node] = winner;
    }
  }

  /** Finds the earliest event and the one after it. @returns {@link best} */
  choose(): CpuId {
    const times = this.#times;
    const winners = this.#winners;
    const best = winners[1] as number;
    if (times[best] === Number.POSITIVE_INFINITY) {
      this.best = -1;
      return -1;
    }
    let second = -1;
    let secondTime = Number.POSITIVE_INFINITY;
    for (let node = this.#leaves + best; node > 1; node >>= 1) {
      const rival = winners[node ^ 1] as number;
      const time = times[rival] as number;
      if (time > secondTime || (time === secondTime && rival > second)) continue;
      secondTime = time;
      second = rival;
    }
    this.best = best;
    this.limit = second > best ? secondTime : secondTime - 1;
    return best;
  }
}
