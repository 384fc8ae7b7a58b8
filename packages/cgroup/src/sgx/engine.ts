import type {
  EvictionPolicy,
  FrameTable,
  GroupId,
  LockFactory,
  OwnerRegistry,
  Probe,
  Reclaimer,
  Routine,
  Thread,
} from '@epckit/interface';
import { MisuseError } from '@epckit/interface';
import type { MiscController } from '../controller.js';
import type { MiscGroup } from '../group.js';
import { Resource } from '../resource.js';
import type { CurrentGroup, EpcCharge } from './charge.js';
import { ControlTable } from './controls.js';
import { CursorTable } from './cursor-table.js';
import type { EpcGroup } from './epc-group.js';
import { EpcGroups } from './epc-groups.js';
import type { EpcUsage, EpcUseId, EpcUseOf } from './epc-use.js';
import { EpcUse, epcUseNames } from './epc-use.js';
import type { GroupLists } from './group-lists.js';
import { GroupReclaim } from './group-reclaim.js';
import { HighReclaim } from './high-reclaim.js';
import { EpcKiller } from './killer.js';
import type { BlockingLimitWriteParts, LimitWrite } from './limit-writes.js';
import { BlockingHighWrite, BlockingLimitWrite, QueueingLimitWrite } from './limit-writes.js';
import { GroupLimits } from './margin.js';
import type { EpcCgroupOptions } from './options.js';
import { ownFiles } from './own-files.js';
import { PatientReclaim } from './patient-reclaim.js';
import { Protection } from './protection.js';
import { victimPolicies } from './victim-policies.js';
import type { EpcWalkObserver, SubtreeWalk } from './walk.js';
import { WalkFair } from './walk-fair.js';
import { WalkFromRoot, WalkUntilDying } from './walk-from-root.js';
import { WalkProtecting } from './walk-protecting.js';
import { WalkRoundRobin } from './walk-round-robin.js';
import { WalkSharedCursor } from './walk-shared-cursor.js';
import { EpcWorkers } from './workers.js';

/** What the engine is made of. */
export interface EpcCgroupComponents {
  /** Controller with the resource `sgx_epc`, whose capacity is set. */
  readonly controller: MiscController;
  /** Whom a thread charges: `tree.processes` of a cgroup tree. */
  readonly current: CurrentGroup;
  /** Frame table. */
  readonly frames: FrameTable;
  /** Makes locks and lockless variables. */
  readonly locks: LockFactory;
  /** Owners by kind. */
  readonly owners: OwnerRegistry;
  /** Makes the policy of one list of reclaimable pages; called once per part. */
  readonly policy: (components: { readonly frames: FrameTable }) => EvictionPolicy;
  /** What a page is used for, by its owner's kind and record. */
  readonly useOf: EpcUseOf;
  /** Trace points, or `null`. */
  readonly probe: Probe | null;
  /** Told which groups are looked at; `null` or left out: nobody. */
  readonly observer?: EpcWalkObserver | null;
}

/**
 * The EPC side of cgroups: lists, charges and background reclaim per group. One engine for all designs; the options
 * say which.
 */
export class EpcCgroups {
  /** What the engine was made of. */
  readonly options: EpcCgroupOptions;
  /** Parts of all groups. */
  readonly groups: EpcGroups;
  /** In which order groups are reclaimed from. */
  readonly walk: SubtreeWalk;
  /** Reclaimable pages, for allocator, driver and reclaimer. */
  readonly lists: GroupLists;
  /** Charges, for allocator and batch. */
  readonly charge: EpcCharge;
  /** Background reclaim: run `workers.main(thread)` on at least one kernel thread. */
  readonly workers: EpcWorkers;
  readonly #components: EpcCgroupComponents;
  readonly #reclaim: GroupReclaim;

  /** @internal */
  constructor(options: EpcCgroupOptions, components: EpcCgroupComponents) {
    const { controller, frames, locks, owners, policy, probe, useOf, current } = components;
    if (!controller.resources.includes(Resource.SGX_EPC)) throw resourceMissing();
    this.options = options;
    this.#components = components;
    this.groups = new EpcGroups(controller, { frames, locks, policy });
    const cursors = options.cursors?.(this.groups, locks) ?? new CursorTable(this.groups, locks);
    const limits = new GroupLimits(this.groups);
    const controls = new ControlTable(controller, locks, frames.pageCount);
    const protection = new Protection(controls, limits);
    this.walk = this.#createWalk(cursors, controls, protection);
    this.groups.watcher = this.walk;
    const listsUse = (use: EpcUseId) => this.#listsUse(use);
    this.lists = options.lists({
      groups: this.groups,
      frames,
      owners,
      walk: this.walk,
      emptinessWalk: this.#createEmptinessWalk(),
      gathers: options.gathers,
      listsUnreclaimable: listsUse,
      useOf,
      controls,
      probe,
    });
    const { numbers } = options;
    const margin = options.margin(limits, frames.pageCount);
    this.#reclaim = new GroupReclaim(this.lists, options.roundPages);
    const reclaim = this.#reclaim;
    const patience = new PatientReclaim(reclaim, options.patience, controller, locks);
    const high = new HighReclaim({ ...numbers, groups: this.groups, controls, protection, reclaim });
    const killer = this.#createKiller();
    const work = options.work(
      { ...numbers, margin, reclaim, controls, high, killer: this.#workerKills ? killer : null },
      patience,
    );
    this.workers = new EpcWorkers(this.groups, locks, work);
    this.charge = options.charge(
      {
        numbers,
        groups: this.groups,
        limits,
        reclaim,
        workers: this.workers,
        margin,
        controls,
        high,
        kills: this.#workerKills,
        listsUnreclaimable: listsUse,
        useOf,
        frames,
        locks,
        current,
        probe,
      },
      patience,
    );
    if (this.charge.hearsMarks) this.lists.listener = this.charge;
    const writeParts = { ...numbers, limits, reclaim, controls, protection, killer };
    this.#install(controls, this.#createLimitWrite(writeParts), new BlockingHighWrite(writeParts));
  }

  /** The reclaimer, which is made of {@link lists} and {@link charge}. Before anything runs. */
  connect(reclaimer: Reclaimer): void {
    this.#reclaim.connect(reclaimer);
  }

  /** Pages charged to a group itself, by use. For reports. */
  usageOf(group: GroupId): EpcUsage {
    return usageOf([this.groups.of(group)]);
  }

  /** Pages charged to a group and everything below it, by use. For reports. */
  subtreeUsageOf(group: GroupId): EpcUsage {
    const top = this.groups.of(group).group;
    const { controller } = this.groups;
    const parts: EpcGroup[] = [];
    for (let at: MiscGroup | null = top; at !== null; at = controller.after(top, at)) {
      parts.push(this.groups.of(at.id));
    }
    return usageOf(parts);
  }

  get #workerKills(): boolean {
    return this.options.kill === 'mark';
  }

  #listsUse(use: EpcUseId): boolean {
    if (use === EpcUse.REGULAR) return false;
    return use === EpcUse.VIRTUAL ? this.options.listsGuestPages : this.options.listsEnclavePages;
  }

  #install(controls: ControlTable, limitWrite: LimitWrite | null, highWrite: LimitWrite): void {
    const { groups } = this;
    groups.install({
      ...(limitWrite === null
        ? {}
        : { maxWritten: (thread, group) => this.#limitWritten(thread, group, limitWrite) }),
      ...(this.options.hasOwnFiles === true
        ? {
            files: ownFiles({
              groups,
              controls,
              highWritten: (thread, group) => this.#limitWritten(thread, group, highWrite),
            }),
          }
        : {}),
    });
  }

  #createWalk(cursors: CursorTable, controls: ControlTable, protection: Protection): SubtreeWalk {
    const { groups } = this;
    const { locks, observer = null } = this.#components;
    switch (this.options.walk) {
      case 'fair':
        return new WalkFair(this.groups, cursors, observer);
      case 'roundRobin':
        return new WalkRoundRobin(this.groups, cursors, observer);
      case 'sharedCursor':
        return new WalkSharedCursor(this.groups, locks, observer);
      case 'protecting': {
        const walk = new WalkSharedCursor(groups, locks, observer);
        const wholeWalk = this.#createEmptinessWalk();
        return new WalkProtecting({ groups, controls, protection, walk, wholeWalk });
      }
      case 'fromRoot':
        return new WalkFromRoot(this.groups, observer);
      case 'untilDying':
        return new WalkUntilDying(this.groups, observer);
    }
  }

  #createEmptinessWalk(): SubtreeWalk {
    return this.options.emptinessWalk === 'fromRoot'
      ? new WalkFromRoot(this.groups, null)
      : new WalkUntilDying(this.groups, null);
  }

  #createKiller(): EpcKiller | null {
    const { kill, victim } = this.options;
    if (kill === 'none') return null;
    const { frames, owners, probe } = this.#components;
    const policy = typeof victim === 'string' ? victimPolicies[victim] : victim;
    return new EpcKiller({ groups: this.groups, frames, owners, probe }, policy);
  }

  #createLimitWrite(parts: BlockingLimitWriteParts): LimitWrite | null {
    const { limitWrite } = this.options;
    if (limitWrite === 'store') return null;
    if (limitWrite === 'queue') return new QueueingLimitWrite(this.workers);
    return new BlockingLimitWrite(parts);
  }

  /** The group may be removed while the writer waits. */
  *#limitWritten(thread: Thread, group: MiscGroup, write: LimitWrite): Routine<void> {
    if (!(yield* this.groups.tryGet(thread, group))) return;
    yield* write.written(thread, this.groups.of(group.id));
    yield* this.groups.controller.put(thread, group.id);
  }
}

/**
 * Makes the engine and installs it in the controller.
 *
 * @throws MisuseError if the controller has no `sgx_epc`
 */
export function createEpcCgroups(options: EpcCgroupOptions, components: EpcCgroupComponents): EpcCgroups {
  return new EpcCgroups(options, components);
}

function usageOf(parts: readonly EpcGroup[]): EpcUsage {
  const usage = { regular: 0, secs: 0, va: 0, vepc: 0 };
  for (const { uses } of parts) {
    for (const [use, name] of epcUseNames.entries()) usage[name] += uses[use] as number;
  }
  return usage;
}

function resourceMissing(): MisuseError {
  return new MisuseError('The misc controller has no sgx_epc.', [], {
    hint: 'Create it with capacities: { sgx_epc: bytes }.',
  });
}
