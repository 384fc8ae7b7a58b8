import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { EpcCgroupOptions } from '../../src/index.js';
import { cgroup2020, cgroupV5, cgroupV17, epckitCgroups } from '../../src/index.js';
import { RandomRun } from './random-run.js';

/** Operations of a test run over all designs; more by the environment. */
const OPERATIONS = Number(process.env['EPCKIT_CGROUP_OPERATIONS'] ?? 100_000);
const PER_RUN = 2_000;

const designs: readonly (readonly [design: EpcCgroupOptions, share: number])[] = [
  [epckitCgroups, 0.4],
  [{ ...epckitCgroups, name: 'epckit, killing the largest', kill: 'mark', victim: 'largest' }, 0.15],
  [cgroup2020, 0.15],
  [cgroupV5, 0.15],
  [cgroupV17, 0.15],
];

it.each(designs.map(([design, share]) => ({ name: design.name, design, share })))(
  'random trees, limits, moves, charges and kills: $name is sound after every operation',
  ({ design, share }) => {
    const numRuns = Math.ceil((OPERATIONS * share) / PER_RUN);
    const met = { again: 0, refused: 0, moves: 0, removals: 0, badWrites: 0, overlapped: 0 };
    let bounds = 0;
    let killed = 0;
    fc.assert(
      fc.property(fc.nat(1_000_000), (seed) => {
        const run = new RandomRun(design, seed, PER_RUN);
        run.run();
        expect(run.problems).toEqual([]);
        killed += run.stack.killed.length;
        bounds += run.counts.bounds;
        for (const name of Object.keys(met) as (keyof typeof met)[]) met[name] += run.counts[name];
      }),
      { numRuns },
    );
    // 2020 kills only when a limit is written while nothing can be reclaimed, which is rare.
    if (design.kill === 'mark') expect(killed).toBeGreaterThan(0);
    expect(bounds > 0).toBe(design.hasOwnFiles === true);
    for (const [name, count] of Object.entries(met)) expect([name, count > 0]).toEqual([name, true]);
  },
);
