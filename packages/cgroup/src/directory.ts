import type { MiscGroup } from './group.js';

/** Process id. */
export type Pid = number;

/** Longest name of a directory (Linux `NAME_MAX`). */
export const NAME_MAX = 255;

/**
 * Directory of the cgroup file system (Linux `struct cgroup`). It has a group of the misc controller of its own only
 * if its parent enables `misc` in `cgroup.subtree_control`. Everything but `path` is written under `cgroup_mutex`.
 */
export class Directory {
  /** Name, empty for the root. */
  readonly name: string;
  /** Directory above, null for the root. */
  readonly parent: Directory | null;
  /** Directories below by name, in the order of their making. */
  readonly children = new Map<string, Directory>();
  /** Processes in this directory. */
  readonly pids = new Set<Pid>();
  /** Group of its own, or null: `misc` is not enabled for it. */
  group: MiscGroup | null;
  /** Does `cgroup.subtree_control` have `misc`? */
  enablesMisc = false;
  /** Was it removed? */
  isRemoved = false;

  constructor(name: string, parent: Directory | null, group: MiscGroup | null) {
    this.name = name;
    this.parent = parent;
    this.group = group;
  }

  /** Path below the mount: `/` for the root, `/a/b`. */
  get path(): string {
    if (this.parent === null) return '/';
    return this.parent.parent === null ? `/${this.name}` : `${this.parent.path}/${this.name}`;
  }

  /** May children have a group (is `misc` in `cgroup.controllers`)? */
  get hasMisc(): boolean {
    return this.group !== null;
  }

  /** Group that processes in this directory charge: its own or the nearest above (Linux `cgroup_e_css`). */
  get effectiveGroup(): MiscGroup {
    return this.group ?? (this.parent as Directory).effectiveGroup;
  }

  /** This directory and all below it, parents first. */
  *subtree(): Generator<Directory, void, void> {
    yield this;
    for (const child of this.children.values()) yield* child.subtree();
  }
}
