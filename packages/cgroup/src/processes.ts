import type { GroupId, LockFactory, Routine, SharedNumber, Thread, ThreadId } from '@epckit/interface';
import { MisuseError } from '@epckit/interface';
import type { MiscController } from './controller.js';
import type { Directory, Pid } from './directory.js';
import type { MiscGroup } from './group.js';

/** A process: where it is, and whom it charges. */
export interface Process {
  /** Process id, 1 or more. */
  readonly pid: Pid;
  /** Id of the group that it charges; read without a lock, written under `cgroup_mutex`. */
  readonly group: SharedNumber;
  /** Directory that it is in; under `cgroup_mutex`. */
  directory: Directory;
}

/**
 * Processes, which directory each is in, and which process a thread of the model runs. A thread stands for a CPU on
 * which processes change; the thread's driver says with {@link setCurrent} which one it is.
 */
export class Processes {
  readonly #controller: MiscController;
  readonly #locks: LockFactory;
  readonly #byPid = new Map<Pid, Process>();
  readonly #current = new Map<ThreadId, Process>();

  /** @internal */
  constructor(controller: MiscController, locks: LockFactory) {
    this.#controller = controller;
    this.#locks = locks;
  }

  /** Process of a pid, or undefined: there is none. */
  get(pid: Pid): Process | undefined {
    return this.#byPid.get(pid);
  }

  /** From now on `thread` runs this process; `null`: a kernel thread's work, which charges the root. Plain. */
  setCurrent(thread: Thread, pid: Pid | null): void {
    if (pid === null) {
      this.#current.delete(thread.id);
      return;
    }
    const process = this.#byPid.get(pid);
    if (process === undefined) throw new MisuseError(`There is no process ${pid}.`);
    this.#current.set(thread.id, process);
  }

  /** Process that `thread` runs, or undefined. */
  currentOf(thread: Thread): Process | undefined {
    return this.#current.get(thread.id);
  }

  /**
   * Group that `thread` charges, with a reference for the caller (Linux `get_current_misc_cg`). Without a lock: the
   * process may be moved, and its group removed, at the same time.
   */
  *getCurrent(thread: Thread): Routine<GroupId> {
    const process = this.currentOf(thread);
    for (;;) {
      const group = process === undefined ? this.#controller.root : yield* this.#groupOf(thread, process);
      if (yield* this.#controller.tryGet(thread, group)) return group.id;
      if (thread.turn('get_current_misc_cg', group.id)) yield thread.changeWaiting;
    }
  }

  /** Makes a process. Under `cgroup_mutex`, or before anything runs. */
  add(pid: Pid, directory: Directory): Process {
    if (!(Number.isSafeInteger(pid) && pid > 0) || this.#byPid.has(pid)) {
      throw new MisuseError(`A process cannot have the id ${pid}.`, [
        this.#byPid.has(pid) ? 'there is a process with this id' : 'an id is a whole number from 1 up',
      ]);
    }
    const group = this.#locks.sharedNumber(`group of process ${pid}`, directory.effectiveGroup.id);
    const process = { pid, group, directory };
    this.#byPid.set(pid, process);
    directory.pids.add(pid);
    return process;
  }

  /** The process ends. Its charges stay. Under `cgroup_mutex`. */
  remove(process: Process): void {
    this.#byPid.delete(process.pid);
    process.directory.pids.delete(process.pid);
    for (const [thread, current] of this.#current) {
      if (current === process) this.#current.delete(thread);
    }
  }

  /** Puts a process into a directory; no charge moves. Under `cgroup_mutex`. */
  *move(thread: Thread, process: Process, directory: Directory): Routine<void> {
    process.directory.pids.delete(process.pid);
    directory.pids.add(process.pid);
    process.directory = directory;
    yield* this.regroup(thread, process);
  }

  /** The directory of a process has got or lost a group of its own. Under `cgroup_mutex`. */
  *regroup(thread: Thread, process: Process): Routine<void> {
    if (thread.clock > thread.limit) yield process.group.writing;
    process.group.write(thread, process.directory.effectiveGroup.id);
  }

  *#groupOf(thread: Thread, process: Process): Routine<MiscGroup> {
    if (thread.clock > thread.limit) yield process.group.reading;
    return this.#controller.group(process.group.read(thread)) as MiscGroup;
  }
}
