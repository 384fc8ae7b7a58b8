import { checkCgroups, checkEpcCgroups } from '@epckit/cgroup';
import type { Enclave } from '@epckit/enclave';
import { checkEnclaves, FaultResult } from '@epckit/enclave';
import { checkFrames } from '@epckit/frames';
import { checkEpcm } from '@epckit/hardware';
import type { Probe, Routine } from '@epckit/interface';
import { Access, PAGE_SIZE_BYTES, PageType, Prot } from '@epckit/interface';
import { checkPools } from '@epckit/numa';
import type { Vepc, VepcDriver } from '@epckit/vepc';
import { checkVepc } from '@epckit/vepc';
import type { AccessOutcomeId, Cgroups, EpcOptions, PresetName, Process, UserCpu } from '../../src/index.js';
import { createAccessRecord, createEpc, type Epc, presetCgroups, presets } from '../../src/index.js';

export const allPresets = ['cgroup-2020', 'cgroup-v5', 'cgroup-v17', 'epckit'] as const;

/** An enclave that was built, or the call that has failed. */
export interface Built {
  readonly enclave: Enclave;
  /** 0, or the negated errno of the call that has failed. */
  readonly result: number;
}

/** Builds an enclave of a process on the first thread of a CPU: `pages` data pages and no TCS, all mapped. */
export function* build(epc: Epc, process: Process, pages: number, cpu = 0): Routine<Built> {
  const user = epc.cpus[cpu] as UserCpu;
  const { thread } = user;
  const { driver } = epc;
  const enclave = epc.processes.open(process);
  yield* user.enterKernel(process);
  const pageCount = 2 ** Math.ceil(Math.log2(Math.max(2, pages)));
  const range = { pageCount, basePage: driver.chooseBasePage(pageCount), attributes: 4 };
  let result = yield* driver.create.run(thread, enclave, range);
  if (result !== 0) return { enclave, result };
  const prot = Prot.R | Prot.W;
  const data = { page: 0, count: pages, type: PageType.REG, prot, isMeasured: false };
  ({ result } = yield* driver.addPages.run(thread, process.mm, enclave, data));
  if (result !== 0) return { enclave, result };
  result = yield* driver.init.run(thread, enclave, {});
  if (result === 0)
    result = yield* epc.processes.map(thread, process, enclave, { start: 0, end: pages, prot });
  return { enclave, result };
}

/** A stack with cgroups in the direct world; processes run on CPU 0 unless said otherwise. */
export class Tenants {
  readonly epc: Epc;
  readonly cgroups: Cgroups;
  readonly #record = createAccessRecord();

  /** @param design - changes of the design of the preset */
  constructor(
    preset: PresetName,
    {
      pages = 64,
      cpus = 2,
      ...more
    }: Partial<EpcOptions> & { readonly pages?: number; readonly cpus?: number } = {},
  ) {
    const cgroups = more.cgroups ?? presetCgroups(preset);
    this.epc = createEpc({
      ...presets[preset],
      machine: {
        cpus: Array.from({ length: cpus }, () => ({ node: 0 })),
        sections: [{ node: 0, pageCount: pages }],
      },
      // Daemons do not wake: who reclaims is what the tests look at.
      reclaim: { lowPages: 0, highPages: 0 },
      ...more,
      cgroups,
    });
    this.epc.boot();
    if (this.epc.cgroups === null) throw new Error('no cgroups');
    this.cgroups = this.epc.cgroups;
  }

  /** A directory with a limit in pages. */
  group(path: string, pages?: number): number {
    const bytes = pages === undefined ? undefined : pages * PAGE_SIZE_BYTES;
    return this.cgroups.makeGroup(this.cpu().thread, path, bytes);
  }

  cpu(id = 0): UserCpu {
    return this.epc.cpus[id] as UserCpu;
  }

  run<T>(routine: Routine<T>, cpu = 0): T {
    return this.epc.machine.run(this.cpu(cpu).thread, routine);
  }

  /** A process in a directory with an enclave of so many pages. */
  tenant(path: string, pages: number, cpu = 0): Built & { readonly process: Process } {
    const process = this.epc.createProcess(path, path);
    return { process, ...this.run(build(this.epc, process, pages, cpu), cpu) };
  }

  /** Touches a page, at most `maxFaults` times. */
  touch(
    { process, enclave }: { process: Process; enclave: Enclave },
    page: number,
    maxFaults = 20,
  ): AccessOutcomeId {
    const cpu = this.cpu();
    this.run(cpu.load(process));
    return this.run(this.epc.accesses.access(cpu, enclave, page, Access.WRITE, maxFaults, this.#record));
  }

  /** A guest's memory of a process, mapped. */
  guest(
    path: string,
    pages: number,
  ): { readonly process: Process; readonly vepc: Vepc; fault(page: number): number } {
    const process = this.epc.createProcess(path, path);
    const device = this.epc.vepc as VepcDriver;
    const vepc = device.open(pages) as Vepc;
    const { mm } = process;
    const cpu = this.cpu();
    const { thread } = cpu;
    this.run(cpu.load(process));
    this.run(device.mapper.map(thread, mm, vepc, { start: 0, end: pages, prot: Prot.R | Prot.W }));
    const fault = function* (page: number): Routine<number> {
      yield* cpu.load(process);
      while (mm.lock.mustWaitRead(thread)) yield mm.lock.acquireRead;
      const table = mm.table(vepc.id);
      const vma = table?.vmaOf(page);
      if (vma === undefined) throw new Error('not mapped');
      const result = yield* device.faults.fault(thread, mm, vma, vepc, page);
      // Who is told to come again has given the lock back already.
      if (result !== FaultResult.RETRY) mm.lock.releaseRead(thread);
      return result;
    };
    return { process, vepc, fault: (page) => this.run(fault(page)) };
  }

  /** Pages charged to a directory and everything below. */
  usage(path: string): number {
    const { regular, secs, va, vepc } = this.cgroups.engine.subtreeUsageOf(this.cgroups.group(path));
    return regular + secs + va + vepc;
  }

  /** The process ends with all it has. */
  exit(process: Process): void {
    const { processes, machine } = this.epc;
    this.run(processes.exit(this.cpu().thread, process));
    while (processes.hasLate) this.run(processes.dropLate(this.cpu().thread));
    machine.runKernelThreads();
  }

  /** All that is wrong. */
  violations(): unknown[] {
    return violationsOf(this.epc, true);
  }
}

/** All that is wrong with a stack, after any step or at rest. */
export function violationsOf(epc: Epc, isAtRest: boolean): unknown[] {
  const { cgroups, frames, pools, hardware, driver, vepc } = epc;
  return [
    ...(cgroups === null ? [] : checkEpcCgroups(cgroups.engine, frames, isAtRest)),
    ...(cgroups === null || !isAtRest ? [] : checkCgroups(cgroups.tree)),
    ...checkFrames(frames),
    ...(isAtRest ? checkPools(pools, frames) : []),
    ...checkEpcm(hardware),
    ...(isAtRest ? checkEnclaves(driver, frames, hardware) : []),
    ...(vepc === null || !isAtRest ? [] : checkVepc(vepc, frames, hardware)),
  ];
}

/** A probe that hears some trace points. */
export function listening(listeners: Partial<Probe>): Probe {
  const none = (): void => {};
  return new Proxy({} as Probe, { get: (_, name) => listeners[name as keyof Probe] ?? none });
}
