import type { CpuId, CpuSet } from '@epckit/interface';
import { NONE } from '@epckit/interface';

/** Bit set in 32-bit words (Linux `struct cpumask`). */
class WordCpuSet implements CpuSet {
  readonly #words: Uint32Array;
  #size = 0;

  constructor(cpuCount: number) {
    this.#words = new Uint32Array((cpuCount + 31) >> 5);
  }

  get size(): number {
    return this.#size;
  }

  clear(): void {
    this.#words.fill(0);
    this.#size = 0;
  }

  add(cpu: CpuId): void {
    if (this.has(cpu)) return;
    (this.#words[cpu >> 5] as number) |= 1 << (cpu & 31);
    this.#size++;
  }

  delete(cpu: CpuId): void {
    if (!this.has(cpu)) return;
    (this.#words[cpu >> 5] as number) &= ~(1 << (cpu & 31));
    this.#size--;
  }

  has(cpu: CpuId): boolean {
    return (((this.#words[cpu >> 5] as number) >>> (cpu & 31)) & 1) === 1;
  }

  addAll(other: CpuSet): void {
    for (let cpu = other.next(0); cpu >= 0; cpu = other.next(cpu + 1)) this.add(cpu);
  }

  next(from: CpuId): CpuId {
    let word = from >> 5;
    if (word >= this.#words.length) return NONE;
    let bits = (this.#words[word] as number) & (-1 << (from & 31));
    while (bits === 0) {
      word++;
      if (word >= this.#words.length) return NONE;
      bits = this.#words[word] as number;
    }
    return word * 32 + 31 - Math.clz32(bits & -bits);
  }
}

/** Makes an empty set that can hold the CPUs `0 … cpuCount-1`. */
export function createCpuSet(cpuCount: number): CpuSet {
  return new WordCpuSet(cpuCount);
}
