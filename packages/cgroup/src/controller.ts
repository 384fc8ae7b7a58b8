import type {
  ErrnoResult,
  GroupId,
  LockFactory,
  Probe,
  Routine,
  SharedNumber,
  Thread,
} from '@epckit/interface';
import { Errno, InvariantViolation, MisuseError, NONE } from '@epckit/interface';
import { AtomicNumber } from './atomic-number.js';
import type { FileListener, MiscChargeParts, Refusal } from './charge.js';
import { createRefusal, MiscCharge, RefusalCause } from './charge.js';
import type { CgroupFile } from './file.js';
import { MiscGroup } from './group.js';
import type { ResourceId, ResourceName } from './resource.js';
import { resourceNames, resourceOf } from './resource.js';

/** Groups that a frame table can tell apart. */
const GROUP_COUNT_MAX = 65_536;

/** Which resources a controller knows. */
export interface MiscControllerOptions {
  /**
   * Resources that exist ("compiled in") with their capacity on this machine: bytes for `sgx_epc`, a number of ids
   * for the others. 0 is a resource that is not there or not initialised yet.
   */
  readonly capacities: Readonly<Partial<Record<ResourceName, number>>>;
}

/** What a controller is made of. */
export interface MiscControllerComponents {
  /** Makes locks and lockless variables. */
  readonly locks: LockFactory;
  /** Trace points, or `null`. */
  readonly probe: Probe | null;
  /** Told when an event file changes; `null` or left out: nobody. */
  readonly listener?: FileListener | null;
}

/** Recipes to replace; the default is Linux 6.16. */
export interface MiscControllerRecipes {
  /** Makes what charges. */
  readonly charge?: (parts: MiscChargeParts) => MiscCharge;
}

/**
 * A resource's private part per group (Linux `misc_res_ops` of the EPC series, v7 to v17). Both are mandatory. The
 * root has no `alloc`: whoever owns the private parts makes the root's by hand.
 */
export interface MiscResourceOps {
  /** A group below `group.parent` is being made. Plain. @returns 0 or a negated errno, which `mkdir` returns */
  alloc(group: MiscGroup): ErrnoResult;
  /**
   * The last reference is gone, and the group has left the tree. Called only if `alloc` was called for this group and
   * succeeded.
   */
  free(thread: Thread, group: MiscGroup): Routine<void>;
  /** A new limit was stored (the series, v2 to v5). Left out: nobody cares, as in v6 to v17. */
  maxWritten?(thread: Thread, group: MiscGroup): Routine<void>;
  /** Files that each group has beside those of the misc controller. Left out: none. */
  readonly files?: readonly CgroupFile[];
}

/**
 * The misc controller (Linux `kernel/cgroup/misc.c`): scalar resources, a hard limit per group and resource, and
 * nothing else. It knows groups and their parents, but no directories, files or processes.
 */
export class MiscController {
  /** Resources that exist, in the order of files. */
  readonly resources: readonly ResourceId[];
  /** Root group, id 0; it is never freed. */
  readonly root: MiscGroup;
  /**
   * Counts changes of the tree of groups. Walks announce its `reading`, read it, and look at groups in the same
   * step; Linux walks under RCU.
   */
  readonly shape: SharedNumber;

  readonly #locks: LockFactory;
  readonly #capacities: (AtomicNumber | undefined)[] = [];
  readonly #charge: MiscCharge;
  readonly #listener: FileListener | null;
  readonly #groups: (MiscGroup | undefined)[] = [];
  readonly #freeIds: GroupId[] = [];
  readonly #ops: (MiscResourceOps | undefined)[] = [];
  #ownFiles: readonly CgroupFile[] = [];
  #made = 0;

  /** @internal */
  constructor(
    options: MiscControllerOptions,
    components: MiscControllerComponents,
    recipes: MiscControllerRecipes,
  ) {
    const { locks, probe, listener = null } = components;
    this.#locks = locks;
    this.resources = resourcesOf(options.capacities);
    for (const resource of this.resources) {
      const name = resourceNames[resource];
      const capacity = options.capacities[name] as number;
      checkAmount(capacity, `The capacity of ${name}`);
      this.#capacities[resource] = new AtomicNumber(`${name} capacity`, capacity, locks);
    }
    const parts = { capacities: this.#capacities, probe, listener };
    this.#charge = recipes.charge?.(parts) ?? new MiscCharge(parts);
    this.#listener = listener;
    this.shape = locks.sharedNumber('tree of misc groups', 0);
    this.root = new MiscGroup(0, '/', null, this.resources, locks);
    this.#groups.push(this.root);
  }

  /** Capacity of a resource that exists; 0: not there. */
  capacity(resource: ResourceId): AtomicNumber {
    return this.#capacities[resource] as AtomicNumber;
  }

  /** Sets the capacity (Linux `misc_cg_set_capacity`). @returns 0, or `-EINVAL`: no such resource */
  *setCapacity(thread: Thread, resource: ResourceId, amount: number): Routine<ErrnoResult> {
    if (!this.resources.includes(resource)) return -Errno.EINVAL;
    checkAmount(amount, `The capacity of ${resourceNames[resource]}`);
    const capacity = this.capacity(resource);
    if (thread.clock > thread.limit) yield capacity.writing;
    capacity.write(thread, amount);
    return 0;
  }

  /** Usage of the whole machine (Linux `misc_cg_res_total_usage`); 0 for what does not exist. */
  *totalUsage(thread: Thread, resource: ResourceId): Routine<number> {
    if (!this.resources.includes(resource)) return 0;
    const { usage } = this.root.counters(resource);
    if (thread.clock > thread.limit) yield usage.reading;
    return usage.read(thread);
  }

  /**
   * Charges `amount` to a group and all above it (Linux `misc_cg_try_charge`). The caller holds a reference of the
   * group until it has uncharged. The charge and its check are two steps: concurrent charges that fail count
   * against each other, so `-EBUSY` can be spurious.
   *
   * @param refusal gets who refused, if given
   * @returns 0; `-EBUSY`: a limit or the capacity would be exceeded; `-EINVAL`: no such resource, no capacity, or
   * `group` is none
   */
  tryCharge(
    thread: Thread,
    resource: ResourceId,
    group: GroupId,
    amount: number,
    refusal: Refusal = createRefusal(),
  ): Routine<ErrnoResult> {
    checkAmount(amount, 'A charge');
    refusal.group = NONE;
    refusal.cause = RefusalCause.NONE;
    return this.#charge.tryCharge(thread, resource, this.#chargeable(resource, group), amount, refusal);
  }

  /** Gives a charge back (Linux `misc_cg_uncharge`): same group, same amount. Nothing happens for group `-1`. */
  uncharge(thread: Thread, resource: ResourceId, group: GroupId, amount: number): Routine<void> {
    checkAmount(amount, 'An uncharge');
    const charged = amount === 0 ? null : this.#chargeable(resource, group);
    return this.#charge.uncharge(thread, resource, charged, amount);
  }

  /** Completed charges and uncharges: for `machine.changes`, which tells whether a retrying loop gets anywhere. */
  get changes(): number {
    return this.#charge.changes;
  }

  /** Group of an id, or undefined: never made, or freed. */
  group(id: GroupId): MiscGroup | undefined {
    return this.#groups[id];
  }

  /** All groups that are not freed, parents first; dying ones too. */
  groups(): MiscGroup[] {
    const found: MiscGroup[] = [];
    for (let at: MiscGroup | null = this.root; at !== null; at = this.after(this.root, at)) found.push(at);
    return found;
  }

  /**
   * Group after `group` in the walk of the subtree of `top`, parents first, or null at its end (Linux
   * `css_next_descendant_pre`). Dying groups are part of it until they are freed; whoever keeps one takes a
   * reference unless it is gone. A group that has left the tree has a successor too. Plain: see {@link shape}.
   */
  after(top: MiscGroup, group: MiscGroup): MiscGroup | null {
    return group.children[0] ?? this.afterSubtree(top, group);
  }

  /** {@link after}, without what is below `group`. */
  afterSubtree(top: MiscGroup, group: MiscGroup): MiscGroup | null {
    for (let at = group; at !== top && at.parent !== null; at = at.parent) {
      const next = at.nextSibling();
      if (next !== null) return next;
    }
    return null;
  }

  /**
   * Installs the private parts of a resource, for groups that are made from now on (Linux `misc_cg_set_ops`).
   * Nothing is called while the capacity is 0.
   */
  setOps(resource: ResourceId, ops: MiscResourceOps): void {
    if (!this.resources.includes(resource)) {
      throw new MisuseError(`The controller has no resource ${resourceNames[resource] ?? resource}.`, [
        `resources: ${this.resources.map((known) => resourceNames[known]).join(', ')}`,
      ]);
    }
    this.#ops[resource] = ops;
    this.#ownFiles = this.#ops.flatMap((installed) => installed?.files ?? []);
  }

  /** Files that the resources have of their own, for every group. */
  get ownFiles(): readonly CgroupFile[] {
    return this.#ownFiles;
  }

  /** Tells the listener that a file of a group has a new content. Plain. */
  notify(group: GroupId, file: Parameters<FileListener['modified']>[1]): void {
    this.#listener?.modified(group, file);
  }

  /** A limit of a group was stored. */
  *maxWritten(thread: Thread, resource: ResourceId, group: MiscGroup): Routine<void> {
    const ops = this.#ops[resource];
    if (ops?.maxWritten !== undefined) yield* ops.maxWritten(thread, group);
  }

  /** Makes a group, which takes a reference of its parent. Under `cgroup_mutex`. @returns group or negated errno */
  *create(thread: Thread, parent: MiscGroup, name: string): Routine<MiscGroup | ErrnoResult> {
    const id = this.#groups.length < GROUP_COUNT_MAX ? this.#groups.length : this.#freeIds.shift();
    if (id === undefined) return -Errno.ENOSPC;
    const group = new MiscGroup(id, name, parent, this.resources, this.#locks, ++this.#made);
    this.#groups[id] = group;
    const result = yield* this.#allocateParts(thread, group);
    if (result !== 0) {
      yield* this.#free(thread, group);
      return result;
    }
    yield* this.get(thread, parent.id);
    if (thread.clock > thread.limit) yield this.shape.writing;
    this.shape.write(thread, this.shape.value + 1);
    parent.children.push(group);
    return group;
  }

  /** The directory is gone: drops its reference. From here on the group is dying. Under `cgroup_mutex`. */
  *takeOffline(thread: Thread, group: MiscGroup): Routine<void> {
    if (thread.clock > thread.limit) yield this.shape.writing;
    this.shape.write(thread, this.shape.value + 1);
    group.isOnline = false;
    yield* this.put(thread, group.id);
  }

  /** Takes a reference of a group that cannot go away meanwhile (Linux `css_get`). */
  *get(thread: Thread, group: GroupId): Routine<void> {
    const { refs } = this.#live(group);
    if (thread.clock > thread.limit) yield refs.adding;
    refs.get(thread);
  }

  /** Takes a reference unless the last one is gone (Linux `css_tryget`). */
  *tryGet(thread: Thread, group: MiscGroup): Routine<boolean> {
    if (thread.clock > thread.limit) yield group.refs.writing;
    return group.refs.getUnlessZero(thread);
  }

  /** Drops a reference (Linux `misc_cg_put`). The last one frees the group and drops the parent's. */
  *put(thread: Thread, group: GroupId): Routine<void> {
    for (let at: MiscGroup | null = this.#live(group); at !== null; at = at.parent) {
      if (thread.clock > thread.limit) yield at.refs.writing;
      if (!at.refs.put(thread)) return;
      yield* this.#release(thread, at);
    }
  }

  /** Leaves the tree, then frees. */
  *#release(thread: Thread, group: MiscGroup): Routine<void> {
    if (group.parent === null || group.isOnline) {
      throw new InvariantViolation(`A reference of ${group.name} was dropped that nobody had taken.`);
    }
    if (thread.clock > thread.limit) yield this.shape.writing;
    this.shape.write(thread, this.shape.value + 1);
    const siblings = group.parent.children;
    siblings.splice(siblings.indexOf(group), 1);
    yield* this.#free(thread, group);
  }

  *#free(thread: Thread, group: MiscGroup): Routine<void> {
    for (const resource of group.privateParts) {
      yield* (this.#ops[resource] as MiscResourceOps).free(thread, group);
    }
    this.#groups[group.id] = undefined;
    this.#freeIds.push(group.id);
  }

  *#allocateParts(thread: Thread, group: MiscGroup): Routine<ErrnoResult> {
    for (const resource of this.resources) {
      const ops = this.#ops[resource];
      if (ops === undefined) continue;
      const capacity = this.capacity(resource);
      if (thread.clock > thread.limit) yield capacity.reading;
      if (capacity.read(thread) === 0) continue;
      const result = ops.alloc(group);
      if (result !== 0) return result;
      group.privateParts.add(resource);
    }
    return 0;
  }

  /** Group to charge, or null: no such resource, or no group. */
  #chargeable(resource: ResourceId, group: GroupId): MiscGroup | null {
    return group < 0 || !this.resources.includes(resource) ? null : this.#live(group);
  }

  #live(id: GroupId): MiscGroup {
    const group = this.#groups[id];
    if (group !== undefined) return group;
    throw new InvariantViolation(`Group ${id} is used, but it does not exist.`, [
      'a charged object must hold a reference of its group until it is uncharged',
    ]);
  }
}

/**
 * Makes the misc controller with its root group.
 *
 * @throws MisuseError for a resource that does not exist or a capacity that is no amount
 */
export function createMiscController(
  options: MiscControllerOptions,
  components: MiscControllerComponents,
  recipes: MiscControllerRecipes = {},
): MiscController {
  return new MiscController(options, components, recipes);
}

function resourcesOf(capacities: MiscControllerOptions['capacities']): ResourceId[] {
  const unknown = Object.keys(capacities).find((name) => resourceOf(name) === undefined);
  if (unknown !== undefined) {
    throw new MisuseError(`The misc controller has no resource '${unknown}'.`, [
      `resources: ${resourceNames.join(', ')}`,
    ]);
  }
  return Object.keys(capacities)
    .map((name) => resourceOf(name) as ResourceId)
    .sort((a, b) => a - b);
}

function checkAmount(amount: number, what: string): void {
  if (Number.isSafeInteger(amount) && amount >= 0) return;
  throw new MisuseError(`${what} must be a whole number from 0 to 2^53 - 1.`, [`given: ${amount}`]);
}
