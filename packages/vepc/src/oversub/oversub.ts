import type { AddressSpace, OwnerId, Routine, Thread } from '@epckit/interface';
import type { VepcComponents } from '../components.js';
import type { VepcFaultHandler, VepcFaultResultId } from '../fault.js';
import type { VepcPages } from '../pages.js';
import type { VepcReleaser } from '../release.js';
import type { Vepc } from '../vepc.js';
import { GuestBlocker } from './blocker.js';
import type { OversubComponents } from './components.js';
import { ConflictExits } from './conflict-exits.js';
import { Dropper } from './dropper.js';
import { Enabler } from './enabler.js';
import type { EvictionId } from './evict-page.js';
import { PageEviction } from './evict-page.js';
import { EvictableVersions } from './evictable-versions.js';
import { OversubFaultHandler } from './fault-handler.js';
import { GuestFaults } from './guest-faults.js';
import { GuestOwner } from './guest-owner.js';
import { HostLeaves } from './host-leaves.js';
import type { OversubInstance } from './instance.js';
import { GuestInstances } from './instances.js';
import { GuestLoader } from './loader.js';
import type { OversubParts } from './parts.js';
import type { OversubRecipes } from './recipes.js';
import { OversubReleaser } from './releaser.js';
import { Resume } from './resume.js';
import { SecsPins } from './secs-pins.js';
import type { VersionKeeper } from './version-keeper.js';
import { VersionPages } from './version-pages.js';
import type { VmPage } from './vm.js';
import { GuestWriter } from './writer.js';

/** What reclaim builds upon: how the driver treats instances without it. */
export interface OversubBase {
  /** Gives resident pages back. */
  readonly releaser: VepcReleaser;
  /** Handles faults. */
  readonly faults: VepcFaultHandler;
}

/** Host reclaim of guest pages, as part of a driver. */
export class Oversub implements OversubParts {
  readonly components: VepcComponents;
  readonly oversub: OversubComponents;
  readonly pages: VepcPages;
  readonly instances = new GuestInstances();
  readonly leaves: HostLeaves;
  readonly pins: SecsPins;
  readonly blocker: GuestBlocker;
  readonly writer: GuestWriter;
  readonly loader: GuestLoader;
  readonly faults: GuestFaults;
  /** Faults of VMM and guest. */
  readonly handler: OversubFaultHandler;
  /** Owner of guest pages: composition registers it. */
  readonly owner: GuestOwner;
  /** Turns reclaim on and off. */
  readonly enabler: Enabler;
  /** Exits because of conflicts. */
  readonly conflicts: ConflictExits;
  /** After a loss of power. */
  readonly resume: Resume;
  /** Evicts one given page. */
  readonly eviction: PageEviction;
  /** Version array pages of the host. */
  readonly versions: VersionKeeper;
  /** Forgets evicted pages. */
  readonly dropper: Dropper;
  /** Gives instances back. */
  readonly releaser: OversubReleaser;

  /** @internal */
  constructor(
    components: VepcComponents,
    oversub: OversubComponents,
    pages: VepcPages,
    base: OversubBase,
    recipes: OversubRecipes,
  ) {
    this.components = components;
    this.oversub = oversub;
    this.pages = pages;
    this.leaves = new HostLeaves(components.hardware);
    this.pins = recipes.pins?.(this) ?? new SecsPins(this);
    this.blocker = recipes.blocker?.(this) ?? new GuestBlocker(this);
    this.writer = recipes.writer?.(this) ?? new GuestWriter(this);
    this.loader = recipes.loader?.(this) ?? new GuestLoader(this);
    this.faults = recipes.faults?.(this) ?? new GuestFaults(this);
    this.conflicts = recipes.conflicts?.(this) ?? new ConflictExits(this);
    this.dropper = recipes.dropper?.(this) ?? new Dropper(this);
    const { versionArrays = null } = oversub;
    this.versions =
      recipes.versions?.(this) ??
      (versionArrays === null ? new VersionPages(this) : new EvictableVersions(this, versionArrays));
    this.releaser =
      recipes.releaser?.(this, base.releaser, this.versions, this.dropper) ??
      new OversubReleaser(this, base.releaser, this.versions, this.dropper);
    this.owner = recipes.owner?.(this, this.releaser) ?? new GuestOwner(this, this.releaser);
    this.handler = new OversubFaultHandler(components, base.faults, this);
    this.enabler = new Enabler(this, this.releaser, this.versions);
    this.resume = new Resume(this, this.versions, this.dropper);
    this.eviction = new PageEviction(this);
  }

  /** Instance with reclaim, or undefined. */
  instance(owner: OwnerId): OversubInstance | undefined {
    return this.instances.of(owner);
  }

  /** EPT violation, see {@link OversubFaultHandler.violation}. */
  violation(thread: Thread, mm: AddressSpace, vepc: Vepc, index: number): Routine<VepcFaultResultId> {
    return this.handler.violation(thread, mm, vepc, index);
  }

  /** Evicts a page of a guest now, see {@link PageEviction.evict}. */
  evict(thread: Thread, place: VmPage): Routine<EvictionId> {
    return this.eviction.evict(thread, this.owner, place);
  }
}
