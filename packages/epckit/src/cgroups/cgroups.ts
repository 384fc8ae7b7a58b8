import type { CgroupTree, EpcCgroups, MiscController } from '@epckit/cgroup';
import {
  CGROUP_MOUNT,
  createCgroupTree,
  createEpcCgroups,
  createMiscController,
  EpcRefusal,
  EpcUse,
} from '@epckit/cgroup';
import { SECS_RECORD } from '@epckit/enclave';
import type {
  EvictionPolicy,
  FrameTable,
  GroupId,
  OwnerKindId,
  OwnerRegistry,
  Probe,
  RecordId,
  Routine,
  Thread,
} from '@epckit/interface';
import { MisuseError, NONE, OwnerKind, PAGE_SIZE_BYTES } from '@epckit/interface';
import type { Machine, MachineThread } from '@epckit/machine';
import type { Process } from '../process.js';
import type { ProcessPlacement } from '../processes.js';
import type { CgroupSettings } from './settings.js';

/** What the controller of a stack is composed of. */
export interface CgroupComponents {
  /** Machine with the CPUs of the workers. */
  readonly machine: Machine;
  /** Frame table. */
  readonly frames: FrameTable;
  /** Owners by kind. */
  readonly owners: OwnerRegistry;
  /** Makes the policy of one list of reclaimable pages. */
  readonly policy: (components: { readonly frames: FrameTable }) => EvictionPolicy;
  /** Trace points, or `null`. */
  readonly probe: Probe | null;
  /** CPU of the first worker; the others follow. */
  readonly firstCpu: number;
}

/** Who refused a charge. */
export interface RefusalWords {
  /** A limit, the machine, or the backing store: there was something to reclaim, and no memory to write it to. */
  readonly refusedFor: 'limit' | 'machine' | 'backing' | null;
  /** Directory of the group whose limit it was, or in which nothing could be written; `null`: none. */
  readonly refusedBy: string | null;
}

const refusalNames: Readonly<Record<number, RefusalWords['refusedFor']>> = {
  [EpcRefusal.LIMIT]: 'limit',
  [EpcRefusal.MACHINE]: 'machine',
  [EpcRefusal.BACKING]: 'backing',
};

/**
 * The EPC controller of a stack: the misc controller, the tree of cgroups with the processes of the stack in it, and
 * the engine that reclaims per group.
 */
export class Cgroups implements ProcessPlacement {
  /** What it was made of. */
  readonly settings: CgroupSettings;
  /** Limits, charges and events. */
  readonly controller: MiscController;
  /** Directories, files and processes. */
  readonly tree: CgroupTree;
  /** Lists, charges and background reclaim per group. */
  readonly engine: EpcCgroups;
  /** Kernel threads for background reclaim. */
  readonly workers: readonly MachineThread[];
  readonly #machine: Machine;
  readonly #pids = new Map<Process, number>();
  #nextPid = 1;

  constructor(settings: CgroupSettings, components: CgroupComponents) {
    const { machine, frames, owners, policy, probe, firstCpu } = components;
    this.settings = settings;
    this.#machine = machine;
    const capacities = { sgx_epc: frames.pageCount * PAGE_SIZE_BYTES };
    this.controller = createMiscController({ capacities }, { locks: machine, probe });
    this.tree = createCgroupTree({ controller: this.controller, locks: machine });
    this.engine = createEpcCgroups(settings.design, {
      controller: this.controller,
      current: this.tree.processes,
      frames,
      locks: machine,
      owners,
      policy,
      useOf,
      probe,
    });
    this.workers = Array.from({ length: workerCount(settings) }, (_, index) => {
      const name = index === 0 ? 'sgx_cg_wq' : `sgx_cg_wq${index}`;
      return machine.createThread({ name, cpu: firstCpu + index, isKernel: true });
    });
  }

  /** Starts the workers. They sleep until there is work. */
  start(): void {
    for (const worker of this.workers) this.#machine.start(worker, this.engine.workers.main(worker));
  }

  /**
   * Makes a directory and all above it that are missing, and limits it. In the direct world.
   *
   * @param path - from the mount point, such as `/tenants/a`
   * @param maxBytes - what `misc.max` says; left out: as it is
   * @returns id of its group
   * @throws MisuseError if the tree refuses either
   */
  makeGroup(thread: MachineThread, path: string, maxBytes?: number): GroupId {
    const full = `${CGROUP_MOUNT}${path}`;
    this.#require('mkdir', full, this.#machine.run(thread, this.tree.mkdirAll(thread, full)));
    if (maxBytes !== undefined) {
      const file = `${full}/misc.max`;
      const write = this.tree.files.write(thread, file, `sgx_epc ${maxBytes}`);
      this.#require('write', file, this.#machine.run(thread, write));
    }
    return this.group(path);
  }

  /** Id of the group that processes of a directory charge; `path` as in {@link makeGroup}. @throws MisuseError */
  group(path: string): GroupId {
    const directory = this.tree.directory(`${CGROUP_MOUNT}${path}`);
    if (typeof directory === 'number') throw new MisuseError(`There is no cgroup '${path}'.`);
    return directory.effectiveGroup.id;
  }

  /** Process id of a process of the stack. @throws MisuseError if it has exited, or is of another stack */
  pidOf(process: Process): number {
    const pid = this.#pids.get(process);
    if (pid !== undefined) return pid;
    throw new MisuseError(
      `Process '${process.name}' is in no cgroup: it has exited, or is of another stack.`,
    );
  }

  /** Group that a thread charges now; the root for kernel threads. For reports. */
  currentGroup(thread: Thread): GroupId {
    return this.tree.processes.currentOf(thread)?.group.value ?? this.controller.root.id;
  }

  /** Who refused the last charge of a thread that failed, in words. For reports. */
  refusalOf(thread: Thread): RefusalWords {
    const { reason, group } = this.engine.charge.lastRefusal(thread);
    const refusedBy = group === NONE ? null : (this.controller.group(group)?.name ?? null);
    return { refusedFor: refusalNames[reason] ?? null, refusedBy };
  }

  /** `thread` runs `process` from now on. */
  setCurrent(thread: Thread, process: Process): void {
    this.tree.processes.setCurrent(thread, this.#pids.get(process) ?? null);
  }

  born(process: Process, directory: string | undefined): void {
    this.tree.addProcess(this.#take(process), `${CGROUP_MOUNT}${directory ?? ''}`);
  }

  *forked(thread: Thread, parent: Process, child: Process): Routine<void> {
    yield* this.tree.fork(thread, this.pidOf(parent), this.#take(child));
  }

  *exited(thread: Thread, process: Process): Routine<void> {
    const pid = this.pidOf(process);
    yield* this.tree.exit(thread, pid);
    this.#pids.delete(process);
  }

  #take(process: Process): number {
    const pid = this.#nextPid++;
    this.#pids.set(process, pid);
    return pid;
  }

  #require(what: string, path: string, result: number): void {
    if (result >= 0) return;
    throw new MisuseError(`${what} ${path} fails.`, [`result: ${result}`]);
  }
}

/** CPUs that the workers have for themselves. @throws MisuseError for a number that is impossible */
export function workerCount({ workers = 1 }: CgroupSettings): number {
  if (Number.isInteger(workers) && workers >= 1) return workers;
  throw new MisuseError(`There must be a whole number of workers for cgroups, at least 1, not ${workers}.`);
}

/** What a page is used for, by its owner's kind and record. */
function useOf(kind: OwnerKindId, record: RecordId): (typeof EpcUse)[keyof typeof EpcUse] {
  if (kind === OwnerKind.GUEST) return EpcUse.VIRTUAL;
  if (record === SECS_RECORD) return EpcUse.SECS;
  return record < NONE ? EpcUse.VERSION_ARRAY : EpcUse.REGULAR;
}
