import { describe, expect, it } from 'vitest';
import type { EpcCgroupOptions } from '../../src/index.js';
import { cgroup2020, cgroupV5, cgroupV17, epckitCgroups } from '../../src/index.js';
import { GroupLimits, thresholdOf } from '../../src/recipes.js';
import { EpcStack, PAGE } from './epc-stack.js';

/** Highest usage of a group with this limit at which background reclaim has nothing to do; all pages reclaimable. */
function restsAt(design: EpcCgroupOptions, limit: number, above?: number): number {
  const stack = new EpcStack({ epcPages: 8, design });
  stack.group('/p', above);
  const id = stack.group('/p/a', limit);
  const part = stack.engine.groups.of(id);
  const margin = design.margin(new GroupLimits(stack.engine.groups), 10_000);
  let usage = 0;
  for (;;) {
    part.counters.usage.addAndGet(stack.thread(), PAGE);
    if (stack.run(margin.excess(stack.thread(), part, usage + 1)) > 0) return usage;
    usage++;
  }
}

describe('test vectors of the reference', () => {
  it.each([
    [256, 224],
    [129, 97],
    [128, 128],
    [16, 16],
  ])('v17: limit %i, threshold %i', (limit, threshold) => {
    expect(thresholdOf(limit)).toBe(threshold);
    expect(restsAt(cgroupV17, limit)).toBe(threshold - 1);
  });

  it.each([
    [66, 57],
    [65, 64],
    [0, 0],
  ])('2020: limit %i, rests at %i', (limit, usage) => expect(restsAt(cgroup2020, limit)).toBe(usage));

  it.each([
    [34, 25],
    [33, 32],
    [0, 0],
  ])('v5: limit %i, rests at %i', (limit, usage) => expect(restsAt(cgroupV5, limit)).toBe(usage));

  it('the default has the threshold of v17 if every page is reclaimable', () => {
    expect([256, 129, 128, 16].map((limit) => restsAt(epckitCgroups, limit))).toEqual([223, 96, 127, 15]);
  });

  it('a limit is rounded down to pages', () => {
    const stack = new EpcStack();
    const id = stack.group('/a');
    stack.limit('/a', 3 * PAGE + 4095);
    const limits = new GroupLimits(stack.engine.groups);
    expect(stack.run(limits.limit(stack.thread(), stack.engine.groups.of(id)))).toBe(3);
  });
});

describe('whose limit counts', () => {
  it.each([
    { design: cgroupV17, usage: 223 },
    { design: cgroupV5, usage: 247 },
  ])('$design.name: the smallest up to the root', ({ design, usage }) => {
    expect([restsAt(design, 300, 256), restsAt(design, 256, 300)]).toEqual([usage, usage]);
  });

  it.each([
    { design: cgroup2020, usage: 291 },
    { design: epckitCgroups, usage: 267 },
  ])('$design.name: the own', ({ design, usage }) => {
    expect([restsAt(design, 300, 256), restsAt(design, 300)]).toEqual([usage, usage]);
  });
});
