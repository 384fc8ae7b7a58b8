import type { GroupId, Probe, Routine } from '@epckit/interface';
import type { Machine, MachineThread } from '@epckit/machine';
import { createMachine } from '@epckit/machine';
import type { MiscController, MiscControllerOptions, MiscControllerRecipes } from '../src/index.js';
import {
  CGROUP_MOUNT,
  type CgroupTree,
  checkCgroups,
  createCgroupTree,
  createMiscController,
  createRefusal,
  Resource,
} from '../src/index.js';

export const PAGE = 4096;
export const M = CGROUP_MOUNT;

/** What a test stack is made of. Defaults: 2 CPUs, sgx_epc with 64 MiB, no checking mode. */
export interface StackOptions {
  readonly cpus?: number;
  readonly capacities?: MiscControllerOptions['capacities'];
  readonly checking?: boolean;
  readonly recipes?: MiscControllerRecipes;
}

/** A controller and a tree on a machine, with calls of the direct world. */
export class Stack {
  readonly machine: Machine;
  readonly controller: MiscController;
  readonly tree: CgroupTree;
  readonly threads: readonly MachineThread[];
  /** Warnings, and files that changed by themselves. */
  readonly warnings: string[] = [];
  readonly notified: string[] = [];
  readonly refusal = createRefusal();

  constructor({
    cpus = 2,
    capacities = { sgx_epc: 2 ** 26 },
    checking = false,
    recipes = {},
  }: StackOptions = {}) {
    this.machine = createMachine({ cpus: Array.from({ length: cpus }, () => ({ node: 0 })), checking });
    this.threads = Array.from({ length: cpus }, (_, cpu) =>
      this.machine.createThread({ name: `cpu ${cpu}`, cpu }),
    );
    const probe = { warned: (_: number, where: string) => void this.warnings.push(where) } as Probe;
    const listener = {
      modified: (group: GroupId, file: string) => {
        this.notified.push(`${this.controller.group(group)?.name} ${file}`);
      },
    };
    this.controller = createMiscController({ capacities }, { locks: this.machine, probe, listener }, recipes);
    this.tree = createCgroupTree({ controller: this.controller, locks: this.machine });
  }

  thread(cpu = 0): MachineThread {
    return this.threads[cpu] as MachineThread;
  }

  run<T>(routine: Routine<T>, cpu = 0): T {
    return this.machine.run(this.thread(cpu), routine);
  }

  /** Directories with `misc` all the way down. @returns groups */
  groups(...paths: string[]): GroupId[] {
    return paths.map((path) => {
      const result = this.run(this.tree.mkdirAll(this.thread(), M + path));
      if (result !== 0) throw new Error(`mkdir ${path}: ${result}`);
      return this.id(path);
    });
  }

  /** Group that processes in a directory charge. */
  id(path: string): GroupId {
    const directory = this.tree.directory(M + path);
    if (typeof directory === 'number') throw new Error(`no directory ${path}: ${directory}`);
    return directory.effectiveGroup.id;
  }

  mkdir(path: string): number {
    return this.run(this.tree.mkdir(this.thread(), M + path));
  }

  rmdir(path: string): number {
    return this.run(this.tree.rmdir(this.thread(), M + path));
  }

  read(path: string): string | number {
    return this.run(this.tree.files.read(this.thread(), M + path));
  }

  write(path: string, text: string): number {
    return this.run(this.tree.files.write(this.thread(), M + path, text));
  }

  charge(group: GroupId, pages = 1, cpu = 0): number {
    return this.run(this.chargeOn(this.thread(cpu), group, pages), cpu);
  }

  uncharge(group: GroupId, pages = 1): void {
    this.run(this.controller.uncharge(this.thread(), Resource.SGX_EPC, group, pages * PAGE));
  }

  chargeOn(thread: MachineThread, group: GroupId, pages = 1): Routine<number> {
    return this.controller.tryCharge(thread, Resource.SGX_EPC, group, pages * PAGE, this.refusal);
  }

  /** What the controller says about a group, by id: works for dying ones too. */
  counters(id: GroupId): { usage: number; peak: number; events: number; local: number } {
    const counters = this.controller.group(id)?.counters(Resource.SGX_EPC);
    if (counters === undefined) throw new Error(`group ${id} is gone`);
    return {
      usage: counters.usage.value,
      peak: counters.watermark.value,
      events: counters.events.value,
      local: counters.eventsLocal.value,
    };
  }

  violations(): string[] {
    return checkCgroups(this.tree).map(({ rule, message }) => `${rule}: ${message}`);
  }
}
