import type { CpuId, LeafId, Probe, ThreadId } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import type { CgroupSettings, Epc } from '../../src/index.js';
import { createEpc, designV17, epckit, epckitDesign, linux6 } from '../../src/index.js';
import { build } from './tenant.js';

/** What a stack has done: leaves by number, pages given out and taken back, and points at which others could run. */
interface Done {
  readonly leaves: Readonly<Record<number, number>>;
  allocations: number;
  frees: number;
  charges: number;
  readonly steps: number;
  readonly threads: readonly string[];
  readonly cpus: number;
  readonly objects: number;
}

/** Builds two enclaves that do not fit together, one after the other, at every point of the explored world. */
function work(preset: typeof linux6, cgroups?: CgroupSettings | null): Done {
  const leaves: Record<number, number> = {};
  const counts = { allocations: 0, frees: 0, charges: 0 };
  const probe = countingProbe(leaves, counts);
  const epc: Epc = createEpc({
    ...preset,
    machine: { cpus: [{ node: 0 }], sections: [{ node: 0, pageCount: 128 }] },
    checking: true,
    probe,
    ...(cgroups === undefined ? {} : { cgroups }),
  });
  epc.boot();
  const user = epc.userThread(0);
  epc.machine.start(user.thread, twice(epc));
  let steps = 0;
  const schedule = { begin: () => true, choose: () => 0 };
  const outcome = epc.machine.runExplored(schedule, { maxSteps: 1_000_000, onStep: () => void steps++ });
  expect(outcome.error).toBeUndefined();
  const { machine } = epc;
  const objects = machine.objects.range('the last', 1);
  const threads = machine.threads.map(({ name }) => name);
  return { leaves, ...counts, steps, threads, cpus: machine.cpuCount, objects };
}

function* twice(epc: Epc) {
  yield* build(epc, epc.createProcess('one'), 100);
  yield* build(epc, epc.createProcess('two'), 100);
}

function countingProbe(
  leaves: Record<number, number>,
  counts: { allocations: number; frees: number; charges: number },
): Probe {
  const listeners: Partial<Record<keyof Probe, (...facts: never[]) => void>> = {
    leaf: (_cpu: CpuId, leaf: LeafId) => {
      leaves[leaf] = (leaves[leaf] ?? 0) + 1;
    },
    pageAllocated: (_thread: ThreadId) => void counts.allocations++,
    pageFreed: (_thread: ThreadId) => void counts.frees++,
    charged: (_thread: ThreadId) => void counts.charges++,
  };
  const none = (): void => {};
  return new Proxy({} as Probe, { get: (_, name) => listeners[name as keyof Probe] ?? none });
}

describe.each([
  ['linux-6', linux6, designV17],
  ['epckit', epckit, epckitDesign],
] as const)('%s', (_, preset, cgroups) => {
  it('without cgroups nothing of the package runs', () => {
    const without = work(preset);
    expect(work(preset, null)).toEqual(without);
    expect(without.charges).toBe(0);
    expect(without.threads.filter((name) => name.includes('sgx_cg'))).toEqual([]);
    expect(without.cpus).toBe(2);
    expect(without.allocations).toBeGreaterThan(200);
  });

  it('with the package and no limit: the same leaves and allocations, more points', () => {
    const without = work(preset);
    const composed = work(preset, cgroups);
    expect(composed.leaves).toEqual(without.leaves);
    expect([composed.allocations, composed.frees]).toEqual([without.allocations, without.frees]);
    expect(composed.charges).toBe(without.allocations);
    expect(composed.steps).toBeGreaterThan(without.steps);
    expect(composed.cpus).toBe(without.cpus + 1);
  });
});
