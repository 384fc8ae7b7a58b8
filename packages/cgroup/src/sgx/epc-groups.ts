import type { ErrnoResult, GroupId, Routine, Thread } from '@epckit/interface';
import { Errno, InvariantViolation, NONE } from '@epckit/interface';
import type { MiscController, MiscResourceOps } from '../controller.js';
import type { MiscGroup } from '../group.js';
import { Resource } from '../resource.js';
import type { EpcGroupParts } from './epc-group.js';
import { EpcGroup } from './epc-group.js';

/** Lists that a frame table can tell apart, less what a part may make. */
const LIST_COUNT_MAX = 65_535 - 8;

/** Told when a group comes and goes: whoever keeps something per group. */
export interface EpcGroupWatcher {
  /** A group is being made. Plain. */
  added(group: EpcGroup): void;
  /** The last reference of a group is gone, and it has left the tree. */
  removed(thread: Thread, group: EpcGroup): Routine<void>;
}

/** EPC parts of all groups, and steps through the tree of groups. */
export class EpcGroups {
  /** Controller whose groups these are. */
  readonly controller: MiscController;
  /** Part of the root (Linux: static, made by hand). */
  readonly root: EpcGroup;
  /** Keeps something per group, such as cursors. */
  watcher: EpcGroupWatcher | null = null;
  readonly #parts: EpcGroupParts;
  readonly #byId: (EpcGroup | undefined)[] = [];
  readonly #spare: EpcGroup[] = [];
  #slots = 0;

  constructor(controller: MiscController, parts: EpcGroupParts) {
    this.controller = controller;
    this.#parts = parts;
    this.root = this.#create(controller.root);
  }

  /** Installs the callbacks, last of all (Linux v16: after this nothing can fail). Groups that exist get their part. */
  install(more: Pick<MiscResourceOps, 'maxWritten' | 'files'>): void {
    for (const group of this.controller.groups()) {
      if (group === this.root.group) continue;
      this.alloc(group);
      group.privateParts.add(Resource.SGX_EPC);
    }
    this.controller.setOps(Resource.SGX_EPC, {
      alloc: (group) => this.alloc(group),
      free: (thread, group) => this.free(thread, group),
      ...more,
    });
  }

  /** Part of a group that exists; `-1` (charged to nobody) is the root's. */
  of(id: GroupId): EpcGroup {
    if (id === NONE) return this.root;
    const part = this.#byId[id] ?? this.#late(id);
    if (part !== undefined) return part;
    throw new InvariantViolation(`Group ${id} has no EPC part: it is freed.`);
  }

  /** Is the group of this part not freed? */
  isLive(part: EpcGroup): boolean {
    return this.#byId[part.group.id] === part;
  }

  /** All parts in use, parents first. For reports and invariants. */
  all(): EpcGroup[] {
    return this.controller.groups().map(({ id }) => this.of(id));
  }

  /** Part of the group above, or null at the root. Plain: a group's parent never changes. */
  above({ group }: EpcGroup): EpcGroup | null {
    return group.parent === null ? null : this.of(group.parent.id);
  }

  /** Group after `at` in the pre-order walk of `top`, dying ones included, or null at the end. */
  *after(thread: Thread, top: EpcGroup, at: MiscGroup): Routine<MiscGroup | null> {
    const { shape } = this.controller;
    if (thread.clock > thread.limit) yield shape.reading;
    shape.read(thread);
    return this.controller.after(top.group, at);
  }

  /** Takes a reference unless the last one is gone. */
  tryGet(thread: Thread, group: MiscGroup): Routine<boolean> {
    return this.controller.tryGet(thread, group);
  }

  /** Drops a reference; the last one frees the group. */
  put(thread: Thread, part: EpcGroup): Routine<void> {
    return this.controller.put(thread, part.id);
  }

  /** Makes the part of a new group. Plain. @returns 0, or `-ENOMEM`: the frame table has no room for its lists */
  protected alloc(group: MiscGroup): ErrnoResult {
    if (this.#spare.length === 0 && this.#parts.frames.listCount > LIST_COUNT_MAX) return -Errno.ENOMEM;
    this.watcher?.added(this.#create(group));
    return 0;
  }

  /** The last reference is gone: no page is charged to the group, so its lists are empty. */
  protected *free(thread: Thread, group: MiscGroup): Routine<void> {
    const part = this.of(group.id);
    if (this.watcher !== null) yield* this.watcher.removed(thread, part);
    this.#byId[group.id] = undefined;
    this.#spare.push(part);
  }

  /** A group that was made while the capacity was 0 has none yet. */
  #late(id: GroupId): EpcGroup | undefined {
    const group = this.controller.group(id);
    if (group === undefined) return undefined;
    this.alloc(group);
    group.privateParts.add(Resource.SGX_EPC);
    return this.#byId[id];
  }

  #create(group: MiscGroup): EpcGroup {
    const spare = this.#spare.shift();
    const above = group.parent === null ? null : this.of(group.parent.id);
    spare?.reuse(group, above);
    const part = spare ?? new EpcGroup(this.#slots++, group, above, this.#parts);
    this.#byId[group.id] = part;
    return part;
  }
}
