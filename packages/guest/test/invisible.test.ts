import type { Probe, Routine } from '@epckit/interface';
import { FrameFlag, Leaf, NONE, OwnerKind } from '@epckit/interface';
import type { MachineThread } from '@epckit/machine';
import { Eviction } from '@epckit/vepc';
import { EvictableVersions } from '@epckit/vepc/recipes';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { VirtualCpu, VirtualMachine } from '../src/index.js';
import { GuestProgram, phasedTrace } from '../src/index.js';
import { HostStack } from './host-stack.js';

/** Events that depend on time or on the host. */
const TIMING = new Set(['ipiSent', 'lockContended', 'aged', 'warned']);

/** Writes down what a guest's kernel does. */
function recorder(lines: string[]): Probe {
  return new Proxy({} as Probe, {
    get: (_, name) => {
      return (...values: unknown[]) => {
        if (!TIMING.has(String(name))) lines.push(`${String(name)} ${JSON.stringify(values)}`);
      };
    },
  });
}

/** Leaves that only the host executes. */
const HOST_LEAVES: ReadonlySet<number> = new Set([
  Leaf.ERDINFO,
  Leaf.ETRACKC,
  Leaf.ELDBC,
  Leaf.ELDUC,
  Leaf.EDECVIRTCHILD,
  Leaf.EINCVIRTCHILD,
  Leaf.ESETCONTEXT,
]);

/** A probe that listens to leaves only. */
function leafProbe(leaf: (cpu: number, leaf: number, page: number) => void): Probe {
  const ignore = () => {};
  return new Proxy({} as Probe, { get: (_, name) => (name === 'leaf' ? leaf : ignore) });
}

/** Evicts every page that can be evicted: children first, then SECS pages. */
function* evictAll(stack: HostStack, thread: MachineThread): Routine<number> {
  const { frames, vepc } = stack;
  let evicted = 0;
  for (let round = 0; round < 2; round++) {
    for (let page = 0; page < frames.pageCount; page++) {
      const isGuests =
        frames.kind(page) === OwnerKind.GUEST && (frames.flags(page) & FrameFlag.TRACKED) !== 0;
      if (!isGuests || vepc.oversub === null) continue;
      if ((yield* vepc.oversub.evict(thread, stack.placeOf(page))) === Eviction.EVICTED) evicted++;
    }
  }
  return evicted;
}

/** Evicts the version array pages of the host, all but one path in each section. */
function* shrinkAll(stack: HostStack, thread: MachineThread): Routine<void> {
  const { oversub } = stack.vepc;
  if (!(oversub?.versions instanceof EvictableVersions)) return;
  for (const instance of oversub.instances.all()) yield* oversub.versions.shrink(thread, instance);
}

/** How often version array pages of the host have left the EPC, and have come back. */
function versionCounts({ vepc: { oversub } }: HostStack): readonly [evictions: number, loads: number] {
  const counts = (oversub?.instances.all() ?? []).map((it) => oversub?.versions.counts(it));
  const sum = (of: (count: (typeof counts)[number]) => number | undefined) => {
    return counts.reduce((total, count) => total + (of(count) ?? 0), 0);
  };
  return [sum((it) => it?.evictions), sum((it) => it?.loads)];
}

/** Has the host a version array page there? Its own leaves on these are the same as a guest's. */
function isVersionArray(frames: HostStack['frames'], page: number): boolean {
  return frames.kind(page) === OwnerKind.GUEST && frames.record(page) < NONE;
}

interface Seen {
  /** What the guest's kernel did. */
  readonly lines: string[];
  /** Software tables of the guest in the end. */
  readonly pages: unknown[];
  readonly evictions: number;
  /** Evictions and loads of version array pages of the host. */
  readonly versions: readonly [evictions: number, loads: number];
  readonly result: unknown;
}

interface Workload {
  readonly dataPages: number;
  readonly threads: number;
  readonly isMeasured: boolean;
  readonly seed: number;
}

/**
 * Runs a workload in a guest whose EPC is too small for it. `isForced`: everything is evicted at every point of the guest.
 * `versionSlots`: slots of a version array page of the host that can be evicted; left out: all of them stay.
 */
function run(workload: Workload, isForced: boolean, versionSlots?: number): Seen {
  const { dataPages, threads, isMeasured, seed } = workload;
  const lines: string[] = [];
  const host = 3;
  let leaves = 0;
  let frames: HostStack['frames'] | null = null;
  const stack = new HostStack({
    oversub: true,
    epcPages: 64,
    lowPages: 0,
    highPages: 0,
    ...(versionSlots === undefined ? {} : { versionSlots }),
    probe: leafProbe((cpu, leaf, page) => {
      const isGuests = cpu !== host && !HOST_LEAVES.has(leaf);
      if (isGuests && frames !== null && !isVersionArray(frames, page)) leaves++;
    }),
  });
  frames = stack.frames;
  const kernel = { lowPages: 2, highPages: 3, batchPages: 4 };
  const vm = stack.vm({
    cpus: [0, 1],
    daemonCpu: 2,
    sections: [{ pageCount: 9 }, { pageCount: 5 }],
    kernel,
    probe: recorder(lines),
  });
  const program = new GuestProgram(vm, { name: 'p', dataPages, threads, isMeasured }, stack.machine);
  const evictor = stack.threads[host] as MachineThread;
  let evictions = 0;
  let before = 0;
  if (isForced) {
    stack.machine.interposer = {
      atPoint: (thread) => {
        // Once after each leaf of the guest: more often, and the pages of a leaf would never be there together.
        const isHost = thread === evictor || thread.held.some(({ name }) => !name.startsWith('guest'));
        if (isHost || leaves === before) return;
        before = leaves;
        evictions += stack.machine.run(evictor, evictAll(stack, evictor));
        stack.machine.run(evictor, shrinkAll(stack, evictor));
      },
    };
  }
  const cpu = (index: number) => vm.cpus[index] as VirtualCpu;
  const done: unknown[] = [];
  stack.guest(vm, program.build(cpu(0)));
  done.push(program.enclave.children);
  for (let index = 0; index < threads; index++) {
    const trace = phasedTrace({
      pages: dataPages,
      workingSet: 4,
      phases: 2,
      runsPerPhase: 8,
      seed: seed + index,
    });
    stack.guest(vm, program.replay(cpu(index), trace, index), index);
  }
  done.push(program.accesses, program.rebuilds, vm.state);
  stack.machine.interposer = null;
  const versions = versionCounts(stack);
  const table = vm.kernel.frames;
  const pages = Array.from({ length: table.pageCount }, (_, page) => {
    return [table.kind(page), table.owner(page), table.record(page), table.listOf(page), table.flags(page)];
  });
  expect(stack.violations()).toEqual([]);
  stack.run((thread) => bringBack(vm, thread));
  expect(vm.evictedPages()).toBe(0);
  expect(stack.violations()).toEqual([]);
  stack.guest(vm, program.end(cpu(0)));
  done.push(vm.kernel.pools.free);
  stack.run((thread) => vm.end(thread));
  expect(stack.violations()).toEqual([]);
  expect(stack.pools.free).toBe(64);
  return { lines, pages, evictions, versions, result: done };
}

/** Makes every page of the guest resident, so that it can be looked into. */
function* bringBack(vm: VirtualMachine, thread: MachineThread): Routine<void> {
  for (let page = 0; page < vm.epc.pageCount; page++) {
    if (vm.epc.translate(page) === NONE) yield* vm.populate(thread, page);
  }
}

describe('eviction by the host is invisible (S-08)', () => {
  const workload = fc.record({
    dataPages: fc.integer({ min: 4, max: 18 }),
    threads: fc.constantFrom(1, 2),
    isMeasured: fc.boolean(),
    seed: fc.nat(1000),
  });

  it('a kernel in a guest does the same with every page evicted at every step', () => {
    let evictions = 0;
    fc.assert(
      fc.property(workload, (given) => {
        const [calm, forced] = [run(given, false), run(given, true)];
        expect(forced.result).toEqual(calm.result);
        expect(forced.lines).toEqual(calm.lines);
        expect(forced.pages).toEqual(calm.pages);
        evictions += forced.evictions;
      }),
      { numRuns: 8, seed: 1 },
    );
    expect(evictions).toBeGreaterThan(1500);
  });

  it('nor does it notice that version array pages of the host are evicted as well', () => {
    const total = [0, 0];
    fc.assert(
      fc.property(workload, (given) => {
        const [calm, forced] = [run(given, false), run(given, true, 3)];
        expect(forced.result).toEqual(calm.result);
        expect(forced.lines).toEqual(calm.lines);
        expect(forced.pages).toEqual(calm.pages);
        forced.versions.forEach((count, at) => {
          total[at] = (total[at] as number) + count;
        });
      }),
      { numRuns: 8, seed: 1 },
    );
    expect(Math.min(...total)).toBeGreaterThan(500);
  });
});
