import { Cost } from '@epckit/interface';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { serverCosts } from '../src/index.js';
import { compute, machineOf, taskOn } from './set-up.js';
import type { SmallSystem } from './small-enclaves.js';
import { runSmallSystem } from './small-enclaves.js';

const published = Object.fromEntries(
  Object.entries(serverCosts).map(([name, { typical }]) => [name, typical]),
) as SmallSystem['costs'];

const cheap: SmallSystem['costs'] = {
  AEX: 7,
  ERESUME: 5,
  FAULT_KERNEL: 11,
  ELDU: 13,
  EWB: 6,
  EBLOCK: 2,
  ETRACK: 1,
  RECLAIM_SW: 3,
  IPI_FIXED: 4,
  IPI_CPU: 2,
  CONTEXT_SWITCH: 9,
  WAKEUP: 8,
  LOCK_LOCAL: 1,
  LOCK_REMOTE: 2,
  STEP: 1,
};

const systems: fc.Arbitrary<SmallSystem> = fc
  .record({
    seed: fc.nat(1_000_000),
    cpuCount: fc.integer({ min: 1, max: 16 }),
    nodeCount: fc.integer({ min: 1, max: 4 }),
    enclaveCount: fc.integer({ min: 1, max: 4 }),
    threadsPerCpu: fc.integer({ min: 1, max: 3 }),
    pagesPerEnclave: fc.integer({ min: 4, max: 64 }),
    shareOfEpc: fc.integer({ min: 30, max: 110 }),
    references: fc.integer({ min: 1, max: 200 }),
    workCycles: fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 3000 })),
    batch: fc.integer({ min: 1, max: 16 }),
    sliceCycles: fc.oneof(fc.integer({ min: 50, max: 3000 }), fc.constant(100_000)),
    resumesAtOnce: fc.boolean(),
    costs: fc.constantFrom(published, cheap),
  })
  .map(({ shareOfEpc, ...system }) => {
    const all = system.enclaveCount * system.pagesPerEnclave;
    // Enough that every thread can keep a page while the daemons have their batches.
    const least = 2 * system.batch + 2 * system.cpuCount * system.threadsPerCpu;
    const epcPages = Math.max(least, Math.floor((all * shareOfEpc) / 100));
    return { ...system, epcPages };
  });

describe('look-ahead', () => {
  it('gives the same bytes as a run in which every point stops', () => {
    fc.assert(
      fc.property(systems, (system) => {
        const fast = runSmallSystem(system, {});
        const strict = runSmallSystem(system, { isStrict: true });
        expect(fast.shared).toEqual(strict.shared);
        expect(fast.bytes).toBe(strict.bytes);
      }),
      { numRuns: 200 },
    );
  }, 60_000);

  const large = {
    seed: 1,
    nodeCount: 2,
    pagesPerEnclave: 64,
    references: 1000,
    workCycles: 1000,
    costs: published,
  };
  const memory = { batch: 16, sliceCycles: 300_000, resumesAtOnce: true };
  it.each([
    ['16 CPUs, an enclave each', { cpuCount: 16, enclaveCount: 16, threadsPerCpu: 1, epcPages: 900 }],
    [
      '16 CPUs in one enclave, with interrupts',
      { cpuCount: 16, enclaveCount: 1, threadsPerCpu: 1, epcPages: 56 },
    ],
    [
      '16 CPUs, two threads each, in four enclaves',
      { cpuCount: 16, enclaveCount: 4, threadsPerCpu: 2, epcPages: 200 },
    ],
    ['4 CPUs in two enclaves', { cpuCount: 4, enclaveCount: 2, threadsPerCpu: 1, epcPages: 100 }],
  ])('gives the same bytes with fewer entries: %s', (_, size) => {
    const system = { ...large, ...memory, ...size };
    const fast = runSmallSystem(system, {});
    const strict = runSmallSystem(system, { isStrict: true });
    expect(fast.bytes).toBe(strict.bytes);
    expect(fast.faults).toBeGreaterThan(100);
    expect(fast.shared.filter((line) => /interrupted [1-9]/.test(line)).length).toBeGreaterThan(3);
    const { entries } = fast.machine.schedulerCounts;
    expect(entries).toBeLessThan(0.7 * strict.machine.schedulerCounts.entries);
  });
});

describe('who looks at what a CPU does that may lag', () => {
  it.each([true, false])('has a point directly before (strict: %s)', (isStrict) => {
    const machine = machineOf(2, {}, { timed: { isStrict } });
    const [looker, other] = [taskOn(machine, 0), taskOn(machine, 1)];
    machine.start(
      looker,
      (function* () {
        yield* compute(looker, 10);
        machine.catchUp(looker, 1);
        looker.spendCycles(Cost.COMPUTE, 100);
        machine.catchUp(looker, 1);
      })(),
    );
    machine.start(other, compute(other, 50));
    expect(() => machine.runTimed()).toThrow('task 0 looks at what other CPUs do without a point before.');
  });

  it('looks at nothing in the direct world', () => {
    const machine = machineOf(1);
    const thread = taskOn(machine, 0);
    thread.spendCycles(Cost.COMPUTE, 100);
    expect(() => machine.catchUp(thread, 1)).not.toThrow();
  });
});
