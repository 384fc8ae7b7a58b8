import type { ErrnoResult, Routine, Thread } from '@epckit/interface';
import type { Directory } from './directory.js';
import { CgroupErrno } from './errno.js';
import type { CgroupFile, FilePlace } from './file.js';
import { byteLength } from './file.js';
import type { MiscGroup } from './group.js';
import { parseU64, strip } from './parse-number.js';
import type { Process } from './processes.js';
import type { CgroupTree } from './tree.js';

/** Largest process id that the file takes (`int`). */
const PID_MAX = 2n ** 31n - 1n;

/** Files that every directory has, whatever its controllers. */
export const controlFiles: readonly CgroupFile[] = [
  {
    name: 'cgroup.procs',
    isOnRoot: true,
    isOnOthers: true,
    show: (tree, { directory }, thread) =>
      locked(tree, thread, () => [...directory.pids].sort((a, b) => a - b).map((pid) => `${pid}\n`)),
    write: writeProcs,
  },
  {
    name: 'cgroup.controllers',
    isOnRoot: true,
    isOnOthers: true,
    show: (tree, { directory }, thread) => locked(tree, thread, () => (directory.hasMisc ? ['misc\n'] : [])),
  },
  {
    name: 'cgroup.subtree_control',
    isOnRoot: true,
    isOnOthers: true,
    show: (tree, { directory }, thread) =>
      locked(tree, thread, () => (directory.enablesMisc ? ['misc\n'] : [])),
    write: writeSubtreeControl,
  },
];

function* locked(tree: CgroupTree, thread: Thread | null, lines: () => string[]): Routine<string> {
  if (thread === null) return lines().join('');
  while (tree.lock.mustWait(thread)) yield tree.lock.acquire;
  const text = lines().join('');
  tree.lock.release(thread);
  return text;
}

/** Moves a process here; 0 is the writer itself (Linux `cgroup_procs_write`). No charge moves. */
function* writeProcs(
  tree: CgroupTree,
  { directory }: FilePlace,
  thread: Thread,
  text: string,
): Routine<number> {
  const pid = parseU64(strip(text));
  if (typeof pid === 'number' || pid > PID_MAX) return -CgroupErrno.EINVAL;
  while (tree.lock.mustWait(thread)) yield tree.lock.acquire;
  const process = pid === 0n ? tree.processes.currentOf(thread) : tree.processes.get(Number(pid));
  const result = moveProblem(directory, process, pid === 0n);
  if (result === 0) yield* tree.processes.move(thread, process as Process, directory);
  tree.lock.release(thread);
  return result === 0 ? byteLength(text) : result;
}

/** Processes live in leaves: a directory that enables a controller takes none, the root excepted. */
function moveProblem(directory: Directory, process: Process | undefined, isSelf: boolean): ErrnoResult {
  if (directory.isRemoved) return -CgroupErrno.ENODEV;
  // A kernel thread stays where it is.
  if (process === undefined) return isSelf ? -CgroupErrno.EINVAL : -CgroupErrno.ESRCH;
  return directory.parent !== null && directory.enablesMisc ? -CgroupErrno.EBUSY : 0;
}

/** `+misc` and `-misc`, any number of them; the last one counts (Linux `cgroup_subtree_control_write`). */
function* writeSubtreeControl(
  tree: CgroupTree,
  { directory }: FilePlace,
  thread: Thread,
  text: string,
): Routine<number> {
  const words = strip(text)
    .split(' ')
    .filter((word) => word !== '');
  if (words.some((word) => word !== '+misc' && word !== '-misc')) return -CgroupErrno.EINVAL;
  const enables = words.length === 0 ? undefined : words[words.length - 1] === '+misc';
  while (tree.lock.mustWait(thread)) yield tree.lock.acquire;
  const result = yield* switchMisc(tree, directory, thread, enables);
  tree.lock.release(thread);
  return result === 0 ? byteLength(text) : result;
}

function* switchMisc(
  tree: CgroupTree,
  directory: Directory,
  thread: Thread,
  enables: boolean | undefined,
): Routine<ErrnoResult> {
  if (directory.isRemoved) return -CgroupErrno.ENODEV;
  if (enables === undefined || enables === directory.enablesMisc) return 0;
  const children = [...directory.children.values()];
  if (!enables) {
    if (children.some((child) => child.enablesMisc)) return -CgroupErrno.EBUSY;
    yield* disable(tree, directory, children, thread);
    return 0;
  }
  if (!directory.hasMisc) return -CgroupErrno.ENOENT;
  if (directory.parent !== null && directory.pids.size > 0) return -CgroupErrno.EBUSY;
  return yield* enable(tree, directory, children, thread);
}

/** Each child gets a group, then its processes charge it. If one cannot be made, none is. */
function* enable(
  tree: CgroupTree,
  directory: Directory,
  children: readonly Directory[],
  thread: Thread,
): Routine<ErrnoResult> {
  for (const child of children) {
    const group = yield* tree.controller.create(thread, directory.group as MiscGroup, child.path);
    if (typeof group === 'number') {
      yield* takeGroups(tree, children, thread);
      return group;
    }
    yield* tree.changeNames(thread);
    child.group = group;
  }
  directory.enablesMisc = true;
  yield* regroup(tree, children, thread);
  return 0;
}

/** Processes charge the directory's own group first; the groups of the children die. */
function* disable(
  tree: CgroupTree,
  directory: Directory,
  children: readonly Directory[],
  thread: Thread,
): Routine<void> {
  directory.enablesMisc = false;
  yield* takeGroups(tree, children, thread);
}

function* takeGroups(tree: CgroupTree, children: readonly Directory[], thread: Thread): Routine<void> {
  const groups = children.map((child) => child.group);
  yield* tree.changeNames(thread);
  for (const child of children) child.group = null;
  yield* regroup(tree, children, thread);
  for (const group of groups) {
    if (group !== null) yield* tree.controller.takeOffline(thread, group);
  }
}

function* regroup(tree: CgroupTree, children: readonly Directory[], thread: Thread): Routine<void> {
  for (const child of children) {
    for (const { pids } of child.subtree()) {
      for (const pid of pids) yield* tree.processes.regroup(thread, tree.processes.get(pid) as Process);
    }
  }
}
