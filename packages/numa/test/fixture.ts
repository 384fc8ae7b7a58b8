import { createFrameTable } from '@epckit/frames';
import type { FrameTable, LeafResult, PageIndex, Probe, Routine, SgxHardware } from '@epckit/interface';
import { Mode, op } from '@epckit/interface';
import type { Machine, MachineThread } from '@epckit/machine';
import { createMachine } from '@epckit/machine';
import type { NodePools, NodePoolsOptions } from '../src/index.js';
import { createNodePools } from '../src/index.js';

/** A machine with pools, and what was called. */
export interface Fixture {
  readonly machine: Machine;
  readonly frames: FrameTable;
  readonly pools: NodePools;
  /** One thread per CPU. */
  readonly threads: readonly MachineThread[];
  /** EREMOVE calls, allocations, frees and warnings in order. */
  readonly log: string[];
  /** Direct world: runs a routine on the thread of a CPU. */
  run<T>(routine: (thread: MachineThread) => Routine<T>, cpu?: number): T;
  /** Pages on a list, head to tail. */
  pagesOn(list: number): number[];
}

/** What a fixture is made of. */
export interface FixtureOptions {
  readonly sections: readonly { readonly node: number; readonly pageCount: number }[];
  /** Node of each CPU. Default: one CPU on node 0. */
  readonly cpus?: readonly number[];
  /** Result of EREMOVE. Default: 0. */
  readonly eremove?: (page: PageIndex) => LeafResult;
  readonly pools?: NodePoolsOptions;
  readonly checking?: boolean;
}

/** Builds pools on a real machine, with hardware that only knows EREMOVE. */
export function createFixture(options: FixtureOptions): Fixture {
  const cpus = (options.cpus ?? [0]).map((node) => ({ node }));
  const machine = createMachine({ cpus, checking: options.checking ?? false });
  const monitor = machine.checking;
  const frames = createFrameTable({ sections: options.sections }, { objects: machine.objects, monitor });
  const log: string[] = [];
  const hardware = createEremove(machine, frames.pageCount, (page) => {
    const result = options.eremove?.(page) ?? 0;
    log.push(`EREMOVE ${page} ${result}`);
    return result;
  });
  const components = { frames, locks: machine, hardware, probe: createLogProbe(log) };
  return {
    machine,
    frames,
    pools: createNodePools(options.pools ?? {}, components),
    threads: cpus.map((_, cpu) => machine.createThread({ name: `thread ${cpu}`, cpu })),
    log,
    run(routine, cpu = 0) {
      const thread = this.threads[cpu] as MachineThread;
      return machine.run(thread, routine(thread));
    },
    pagesOn(list) {
      const pages: number[] = [];
      for (let page = frames.first(list); page >= 0; page = frames.next(page)) pages.push(page);
      return pages;
    },
  };
}

function createEremove(
  machine: Machine,
  pageCount: number,
  eremove: (page: PageIndex) => LeafResult,
): SgxHardware {
  const firstObject = machine.objects.range('epcm', pageCount);
  const hardware: Pick<SgxHardware, 'leafAt' | 'eremove'> = {
    leafAt: (page) => op(firstObject + page, Mode.LEAF),
    eremove: (_cpu, page) => eremove(page),
  };
  return hardware as SgxHardware;
}

function createLogProbe(log: string[]): Probe {
  const probe: Partial<Probe> = {
    pageAllocated: (_thread, page, node) => void log.push(`allocated ${page} of ${node}`),
    pageFreed: (_thread, page, node) => void log.push(`freed ${page} of ${node}`),
    warned: (_thread, where) => void log.push(`warned ${where}`),
  };
  return probe as Probe;
}
