import type { CgroupTree, MiscController, MiscControllerRecipes } from '@epckit/cgroup';
import {
  CGROUP_MOUNT,
  checkCgroups,
  createCgroupTree,
  createMiscController,
  createRefusal,
  Resource,
} from '@epckit/cgroup';
import type { GroupId, Routine } from '@epckit/interface';
import type { Machine, MachineThread } from '@epckit/machine';
import { createMachine } from '@epckit/machine';

export const PAGE = 4096;
export const M = CGROUP_MOUNT;

/** What the groups are made of. */
export interface MiscGroupsOptions {
  readonly cpus: number;
  readonly recipes: MiscControllerRecipes;
}

/** The misc controller and a tree under the checking mode, with calls of the direct world. */
export class MiscGroups {
  readonly machine: Machine;
  readonly controller: MiscController;
  readonly tree: CgroupTree;
  readonly threads: readonly MachineThread[];

  constructor({ cpus, recipes }: MiscGroupsOptions) {
    this.machine = createMachine({ cpus: Array.from({ length: cpus }, () => ({ node: 0 })), checking: true });
    this.threads = Array.from({ length: cpus }, (_, cpu) =>
      this.machine.createThread({ name: `cpu ${cpu}`, cpu }),
    );
    const locks = this.machine;
    this.controller = createMiscController(
      { capacities: { sgx_epc: 2 ** 26 } },
      { locks, probe: null },
      recipes,
    );
    this.tree = createCgroupTree({ controller: this.controller, locks });
  }

  thread(cpu = 0): MachineThread {
    return this.threads[cpu] as MachineThread;
  }

  run<T>(routine: Routine<T>): T {
    return this.machine.run(this.thread(), routine);
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

  write(path: string, text: string): number {
    return this.run(this.tree.files.write(this.thread(), M + path, text));
  }

  chargeOn(thread: MachineThread, group: GroupId, pages = 1): Routine<number> {
    return this.controller.tryCharge(thread, Resource.SGX_EPC, group, pages * PAGE, createRefusal());
  }

  /** What the controller says about a group, by id: works for dying ones too. */
  counters(id: GroupId): { usage: number; peak: number; local: number } {
    const counters = this.controller.group(id)?.counters(Resource.SGX_EPC);
    if (counters === undefined) throw new Error(`group ${id} is gone`);
    const { usage, watermark, eventsLocal } = counters;
    return { usage: usage.value, peak: watermark.value, local: eventsLocal.value };
  }

  violations(): string[] {
    return checkCgroups(this.tree).map(({ rule, message }) => `${rule}: ${message}`);
  }
}
