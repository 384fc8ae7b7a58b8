import { expect } from 'vitest';
import type { RunReport } from '../../src/index.js';
import { sumOf } from './small-scenario.js';

/** Every cycle of every CPU, thread and lock of a run is in exactly one place. */
export function expectConserved(report: RunReport): void {
  expectCpus(report);
  expectLocks(report);
  expectParts(report);
}

/** Causes and idleness add up to the same clock for each CPU, and groups to causes. */
function expectCpus({ cpus, total }: RunReport): void {
  const ends = cpus.map(({ idleCycles, cyclesByCause }) => idleCycles + sumOf(cyclesByCause));
  expect(new Set(ends).size, 'clocks of the CPUs').toBe(1);
  expect(ends[0]).toBeGreaterThanOrEqual(total.elapsedCycles);
  for (const { idleCycles, cyclesByCause, cyclesByGroup } of cpus) {
    expect(idleCycles).toBeGreaterThanOrEqual(0);
    expect(sumOf(cyclesByGroup)).toBe(sumOf(cyclesByCause));
  }
}

/** Waits by lock add up to what threads and daemons were charged, by thread and by CPU. */
function expectLocks({ locks, cpus, enclaves, ksgxd }: RunReport): void {
  const charged = (causes: Readonly<Record<string, number>>) => causes['LOCK_WAIT'] ?? 0;
  const all = [...enclaves.map(({ cyclesByCause }) => cyclesByCause), ksgxd.cyclesByCause].map(charged);
  const waited = locks.reduce((sum, { waitCycles }) => sum + waitCycles, 0);
  expect(waited, 'waits for locks').toBe(all.reduce((sum, cycles) => sum + cycles, 0));
  for (const { threads } of enclaves) {
    for (const { cyclesByCause, lockWaitCycles } of threads)
      expect(sumOf(lockWaitCycles)).toBe(charged(cyclesByCause));
  }
  for (const { name, waitCycles, longestWaitCycles, acquisitions, contended } of locks) {
    const byCpu = cpus.reduce((sum, { lockWaitCycles }) => sum + (lockWaitCycles[name] ?? 0), 0);
    expect(byCpu, `waits for ${name}`).toBe(waitCycles);
    expect(longestWaitCycles).toBeLessThanOrEqual(waitCycles);
    expect(contended).toBeLessThanOrEqual(acquisitions);
  }
}

/** Threads add up to enclaves, enclaves to the run, daemons to `ksgxd`, and a thread's time covers its run. */
function expectParts({ enclaves, total, daemons, ksgxd }: RunReport): void {
  for (const one of enclaves) {
    const threads = one.threads.reduce((sum, { cyclesByCause }) => sum + sumOf(cyclesByCause), 0);
    expect(threads, one.name).toBe(sumOf(one.cyclesByCause));
    for (const { runCycles, cyclesByCause } of one.threads)
      expect(sumOf(cyclesByCause)).toBeGreaterThanOrEqual(runCycles);
    expect(one.threads.reduce((sum, { accesses }) => sum + accesses, 0)).toBe(one.accesses);
  }
  for (const key of ['accesses', 'faults', 'faultRetries', 'eadd', 'eaug', 'eldu', 'ewb', 'aex'] as const)
    expect(
      enclaves.reduce((sum, one) => sum + one[key], 0),
      key,
    ).toBe(total[key]);
  expect(daemons.reduce((sum, { cyclesByCause }) => sum + sumOf(cyclesByCause), 0)).toBe(
    sumOf(ksgxd.cyclesByCause),
  );
  const evicted = daemons.reduce((sum, { evictions }) => sum + evictions, 0);
  expect(evicted).toBe(total.ksgxdEvictions);
  expect(evicted + total.directEvictions).toBeLessThanOrEqual(total.ewb);
}
