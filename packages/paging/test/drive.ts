import type { CpuId, CpuSet, Op, Probe, Routine } from '@epckit/interface';
import type { MachineThread } from '@epckit/machine';
import { createMachine } from '@epckit/machine';

/** A thread on a machine of its own that stops at no point. */
export function soleThread(): MachineThread {
  return createMachine({ cpus: [{ node: 0 }, { node: 0 }] }).createThread({ name: 'task', cpu: 0 });
}

/** Runs a routine to its end and notes what it stopped for. */
export function drive<T>(routine: Routine<T>): { readonly result: T; readonly stops: Op[] } {
  const stops: Op[] = [];
  for (;;) {
    const step = routine.next();
    if (step.done === true) return { result: step.value, stops };
    stops.push(step.value);
  }
}

/** A probe that writes what paging reports into `log`. */
export function loggingProbe(log: string[]): Probe {
  const heard: Partial<Probe> = {
    backingDropped: (_thread, _owner, filePage, wasPresent) => {
      log.push(`drop ${filePage}${wasPresent ? '' : ' absent'}`);
    },
    warned: (_thread, where) => {
      log.push(`warn ${where}`);
    },
    leaf: () => {},
  };
  return heard as Probe;
}

/** A set of CPUs over a `Set`. */
export class PlainCpuSet implements CpuSet {
  readonly #cpus = new Set<CpuId>();

  clear(): void {
    this.#cpus.clear();
  }
  add(cpu: CpuId): void {
    this.#cpus.add(cpu);
  }
  delete(cpu: CpuId): void {
    this.#cpus.delete(cpu);
  }
  has(cpu: CpuId): boolean {
    return this.#cpus.has(cpu);
  }
  addAll(other: CpuSet): void {
    for (let cpu = other.next(0); cpu >= 0; cpu = other.next(cpu + 1)) this.add(cpu);
  }
  get size(): number {
    return this.#cpus.size;
  }
  next(from: CpuId): CpuId {
    const later = [...this.#cpus].filter((cpu) => cpu >= from);
    return later.length === 0 ? -1 : Math.min(...later);
  }
}
