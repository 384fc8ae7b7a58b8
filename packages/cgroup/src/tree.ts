import type { ErrnoResult, LockFactory, Mutex, Routine, SharedNumber, Thread } from '@epckit/interface';
import { MisuseError } from '@epckit/interface';
import { controlFiles } from './control-files.js';
import type { MiscController } from './controller.js';
import type { Pid } from './directory.js';
import { Directory, NAME_MAX } from './directory.js';
import { CgroupErrno } from './errno.js';
import type { CgroupFile } from './file.js';
import type { OpenFile } from './files.js';
import { CgroupFiles } from './files.js';
import { miscFiles } from './misc-files.js';
import { Processes } from './processes.js';

/** Where systems mount the hierarchy. */
export const CGROUP_MOUNT = '/sys/fs/cgroup';

/** What a tree is made of. */
export interface CgroupTreeComponents {
  /** Controller whose groups the directories stand for. */
  readonly controller: MiscController;
  /** Makes locks and lockless variables. */
  readonly locks: LockFactory;
}

/** A directory of the tree and the name of an entry in it that may not exist. */
interface Place {
  readonly directory: Directory;
  readonly name: string;
}

/**
 * The unified hierarchy (cgroup v2) in memory, with the misc controller and no other: directories, processes and
 * files. Paths are absolute and begin with {@link CGROUP_MOUNT}.
 */
export class CgroupTree {
  /** Controller of the tree's groups. */
  readonly controller: MiscController;
  /** Serialises everything that changes directories and placement (Linux `cgroup_mutex`). */
  readonly lock: Mutex;
  /**
   * Counts changes of directories and of which files they have. Look-ups read it; they take no lock of the
   * controller, as in Linux.
   */
  readonly names: SharedNumber;
  /** Root directory. */
  readonly root: Directory;
  /** Processes and where they are. */
  readonly processes: Processes;
  /** Reads and writes by path. */
  readonly files: CgroupFiles;

  /** @internal */
  constructor({ controller, locks }: CgroupTreeComponents) {
    this.controller = controller;
    this.lock = locks.mutex('cgroup_mutex');
    this.names = locks.sharedNumber('names in the cgroup tree', 0);
    this.root = new Directory('', null, controller.root);
    this.processes = new Processes(controller, locks);
    this.files = new CgroupFiles(this);
  }

  /** Point before looking at directories without the lock; what follows in the same step sees one state. */
  *lookAtNames(thread: Thread): Routine<void> {
    if (thread.clock > thread.limit) yield this.names.reading;
    this.names.read(thread);
  }

  /** Point before changing directories; what follows in the same step is one change. Under {@link lock}. */
  *changeNames(thread: Thread): Routine<void> {
    if (thread.clock > thread.limit) yield this.names.writing;
    this.names.write(thread, this.names.value + 1);
  }

  /** Directory of a path, for reports or after {@link lookAtNames}. @returns directory; `-ENOENT`; `-ENOTDIR` */
  directory(path: string): Directory | ErrnoResult {
    const place = this.#place(path);
    if (typeof place === 'number') return place;
    return place.name === '' ? place.directory : this.#child(place);
  }

  /** Files that a directory has: those of the controllers only if it has a group. */
  filesOf(directory: Directory): CgroupFile[] {
    const isRoot = directory.parent === null;
    const ofGroup = directory.group === null ? [] : [...miscFiles, ...this.controller.ownFiles];
    return [...controlFiles, ...ofGroup].filter((file) => (isRoot ? file.isOnRoot : file.isOnOthers));
  }

  /** File of a path, whoever opens it. @returns file; `-ENOENT`; `-EISDIR`; `-ENOTDIR` */
  file(path: string): OpenFile | ErrnoResult {
    const place = this.#place(path);
    if (typeof place === 'number') return place;
    const { directory, name } = place;
    const file = this.filesOf(directory).find((entry) => entry.name === name);
    if (file !== undefined) return { directory, group: directory.group, file };
    const child = name === '' ? directory : this.#child(place);
    return typeof child === 'number' ? child : -CgroupErrno.EISDIR;
  }

  /** Names in a directory: files, then directories in the order of their making. @returns names or negated errno */
  list(path: string): string[] | ErrnoResult {
    const directory = this.directory(path);
    if (typeof directory === 'number') return directory;
    return [...this.filesOf(directory).map(({ name }) => name), ...directory.children.keys()];
  }

  /**
   * mkdir (Linux `cgroup_mkdir`).
   *
   * @returns 0; `-ENOENT`, `-ENOTDIR` (parent); `-EEXIST`; `-EINVAL` (line feed); `-ENAMETOOLONG`; `-ENOSPC` (too many
   * groups); what the private part of a resource answers
   */
  *mkdir(thread: Thread, path: string): Routine<ErrnoResult> {
    while (this.lock.mustWait(thread)) yield this.lock.acquire;
    const result = yield* this.#mkdirLocked(thread, path);
    this.lock.release(thread);
    return result;
  }

  /**
   * mkdir of a directory and of all above it that are missing, with `misc` enabled on the way down: what a runtime
   * does with a delegated subtree.
   *
   * @returns 0 or the first negated errno
   */
  *mkdirAll(thread: Thread, path: string): Routine<ErrnoResult> {
    const parts = path.split('/').filter((part) => part !== '');
    const mountDepth = CGROUP_MOUNT.split('/').length - 1;
    for (let depth = mountDepth; depth < parts.length; depth++) {
      const parent = `/${parts.slice(0, depth).join('/')}`;
      const written = yield* this.files.write(thread, `${parent}/cgroup.subtree_control`, '+misc');
      if (written < 0) return written;
      const result = yield* this.mkdir(thread, `${parent}/${parts[depth]}`);
      if (result !== 0 && result !== -CgroupErrno.EEXIST) return result;
    }
    yield* this.lookAtNames(thread);
    const found = this.directory(path);
    return typeof found === 'number' ? found : 0;
  }

  /**
   * rmdir (Linux `cgroup_rmdir`). The group dies, and is freed when nobody refers to it any more; its charge stays in
   * the groups above until it is given back.
   *
   * @returns 0; `-EBUSY` (processes or directories in it, or the root); `-ENOENT`; `-ENOTDIR`
   */
  *rmdir(thread: Thread, path: string): Routine<ErrnoResult> {
    while (this.lock.mustWait(thread)) yield this.lock.acquire;
    const result = yield* this.#rmdirLocked(thread, path);
    this.lock.release(thread);
    return result;
  }

  /** A process that is there before anything runs, in the root unless said otherwise. Plain. */
  addProcess(pid: Pid, path = CGROUP_MOUNT): void {
    const directory = this.directory(path);
    if (typeof directory === 'number') throw new MisuseError(`There is no cgroup '${path}'.`);
    this.processes.add(pid, directory);
  }

  /** fork: the child is where its parent is. @returns 0 or `-ESRCH` */
  *fork(thread: Thread, parent: Pid, child: Pid): Routine<ErrnoResult> {
    while (this.lock.mustWait(thread)) yield this.lock.acquire;
    const process = this.processes.get(parent);
    if (process !== undefined) this.processes.add(child, process.directory);
    this.lock.release(thread);
    return process === undefined ? -CgroupErrno.ESRCH : 0;
  }

  /** exit: the process leaves its directory, its charges stay. @returns 0 or `-ESRCH` */
  *exit(thread: Thread, pid: Pid): Routine<ErrnoResult> {
    while (this.lock.mustWait(thread)) yield this.lock.acquire;
    const process = this.processes.get(pid);
    if (process !== undefined) this.processes.remove(process);
    this.lock.release(thread);
    return process === undefined ? -CgroupErrno.ESRCH : 0;
  }

  *#mkdirLocked(thread: Thread, path: string): Routine<ErrnoResult> {
    const place = this.#place(path);
    if (typeof place === 'number') return place;
    const { directory: parent, name } = place;
    const problem = this.#nameProblem(parent, name);
    if (problem !== 0) return problem;
    const child = new Directory(name, parent, null);
    if (parent.enablesMisc) {
      const group = yield* this.controller.create(thread, parent.effectiveGroup, child.path);
      if (typeof group === 'number') return group;
      child.group = group;
    }
    yield* this.changeNames(thread);
    parent.children.set(name, child);
    return 0;
  }

  *#rmdirLocked(thread: Thread, path: string): Routine<ErrnoResult> {
    const place = this.#place(path);
    if (typeof place === 'number') return place;
    if (place.name !== '' && this.filesOf(place.directory).some(({ name }) => name === place.name)) {
      return -CgroupErrno.ENOTDIR;
    }
    const directory = place.name === '' ? place.directory : this.#child(place);
    if (typeof directory === 'number') return directory;
    if (directory.parent === null || directory.pids.size > 0 || directory.children.size > 0) {
      return -CgroupErrno.EBUSY;
    }
    yield* this.changeNames(thread);
    directory.isRemoved = true;
    directory.parent.children.delete(directory.name);
    if (directory.group !== null) yield* this.controller.takeOffline(thread, directory.group);
    return 0;
  }

  #nameProblem(parent: Directory, name: string): ErrnoResult {
    if (name.includes('\n')) return -CgroupErrno.EINVAL;
    if (new TextEncoder().encode(name).length > NAME_MAX) return -CgroupErrno.ENAMETOOLONG;
    const isTaken = parent.children.has(name) || this.filesOf(parent).some((file) => file.name === name);
    return name === '' || isTaken ? -CgroupErrno.EEXIST : 0;
  }

  #child({ directory, name }: Place): Directory | ErrnoResult {
    return directory.children.get(name) ?? -CgroupErrno.ENOENT;
  }

  /** Directory of the last part of a path, and that part; the part is empty for the root itself. */
  #place(path: string): Place | ErrnoResult {
    if (path !== CGROUP_MOUNT && !path.startsWith(`${CGROUP_MOUNT}/`)) return -CgroupErrno.ENOENT;
    const parts = path.slice(CGROUP_MOUNT.length).split('/');
    const names = parts.filter((part) => part !== '' && part !== '.');
    const name = names.pop() ?? '';
    let directory = this.root;
    for (const part of names) {
      const child = directory.children.get(part);
      const isFile = child === undefined && this.filesOf(directory).some((file) => file.name === part);
      if (child === undefined) return isFile ? -CgroupErrno.ENOTDIR : -CgroupErrno.ENOENT;
      directory = child;
    }
    return { directory, name };
  }
}

/** Makes a tree that consists of the root. */
export function createCgroupTree(components: CgroupTreeComponents): CgroupTree {
  return new CgroupTree(components);
}
