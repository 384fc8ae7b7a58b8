import type { OwnerId, Routine, Thread } from '@epckit/interface';
import { MisuseError } from '@epckit/interface';
import type { VepcComponents } from './components.js';
import { VepcFaultHandler } from './fault.js';
import { GuestLeaves } from './guest-leaves.js';
import type { VepcInterrupts } from './kill.js';
import { VepcKiller, VepcOwner } from './kill.js';
import { KvmLeaves } from './kvm-leaves.js';
import { VepcMapper } from './map.js';
import { OversubMapper } from './oversub/mapper.js';
import { Oversub } from './oversub/oversub.js';
import type { OversubRecipes } from './oversub/recipes.js';
import { OversubRemoveAll } from './oversub/remove-all.js';
import { VepcPages } from './pages.js';
import type { VepcReleaserParts } from './release.js';
import { requireUnmapped, VepcReleaser } from './release.js';
import { LockingRemoveAll, RemoveAll } from './remove-all.js';
import { Vepc } from './vepc.js';
import { ZombieSecs } from './zombies.js';

/** Settings of the driver. */
export interface VepcDriverOptions {
  /** Does the processor have VMX? Without it there is no device. */
  readonly hasVmx: boolean;
  /**
   * Owner id of the first instance; the next has the next one, and none is used twice. Address spaces and trace
   * points name an owner without its kind, so ids must differ from those of every other owner of the stack.
   */
  readonly firstOwner: OwnerId;
}

/** Recipes to replace; the default is Linux 6.12. */
export interface VepcDriverRecipes {
  /** Makes the fault handler. */
  readonly faults?: (components: VepcComponents) => VepcFaultHandler;
  /** Makes what serves ioctls. */
  readonly removeAll?: (components: VepcComponents, pages: VepcPages) => RemoveAll;
  /** Makes what releases an instance. */
  readonly releaser?: (parts: VepcReleaserParts) => VepcReleaser;
  /** Steps of host reclaim. */
  readonly oversub?: OversubRecipes;
}

/** The device `/dev/sgx_vepc`: its open files, and one object per operation. */
export class VepcDriver {
  /** mmap, munmap, fork. */
  readonly mapper: VepcMapper;
  /** Page faults. */
  readonly faults: VepcFaultHandler;
  /** ioctls. */
  readonly removeAll: RemoveAll;
  /** SECS pages that outlived their instance. */
  readonly zombies: ZombieSecs;
  /** ECREATE and EINIT on behalf of a guest. */
  readonly kvm: KvmLeaves;
  /** Leaves that a guest executes. */
  readonly guest: GuestLeaves;
  /** Host reclaim of guest pages, or null. */
  readonly oversub: Oversub | null;
  /** Instances as owners that can be killed; null: nobody kills, or host reclaim has an owner of its own. */
  readonly owner: VepcOwner | null;

  readonly #components: VepcComponents;
  readonly #releaser: VepcReleaser;
  readonly #instances = new Map<OwnerId, Vepc>();
  #nextOwner: OwnerId;

  /** @internal */
  constructor(firstOwner: OwnerId, components: VepcComponents, recipes: VepcDriverRecipes) {
    this.#components = components;
    this.#nextOwner = firstOwner;
    const pages = new VepcPages(components);
    const faults = recipes.faults?.(components) ?? new VepcFaultHandler(components);
    const { interrupts = null } = components;
    // A kill frees pages, and without the lock REMOVE_ALL could meet one in other hands.
    const RemoveAllRecipe = interrupts === null ? RemoveAll : LockingRemoveAll;
    const removeAll = recipes.removeAll?.(components, pages) ?? new RemoveAllRecipe(components, pages);
    this.zombies = new ZombieSecs(components, pages);
    this.kvm = new KvmLeaves(components);
    this.guest = new GuestLeaves(components, this.kvm);
    const forget = (vepc: Vepc) => void this.#instances.delete(vepc.id);
    const parts = { pages, zombies: this.zombies, forget };
    this.#releaser = recipes.releaser?.(parts) ?? new VepcReleaser(parts);
    const { oversub = null } = components;
    this.owner = oversub === null && interrupts !== null ? this.#createOwner(interrupts, pages) : null;
    if (oversub === null) {
      this.oversub = null;
      this.mapper = new VepcMapper();
      this.faults = faults;
      this.removeAll = removeAll;
      return;
    }
    const base = { releaser: this.#releaser, faults };
    const reclaim = new Oversub(components, oversub, pages, base, recipes.oversub ?? {});
    this.oversub = reclaim;
    this.mapper = new OversubMapper(reclaim, reclaim.versions);
    this.faults = reclaim.handler;
    const served = [components, pages, removeAll, reclaim, reclaim.dropper] as const;
    this.removeAll = recipes.oversub?.removeAll?.(...served) ?? new OversubRemoveAll(...served);
  }

  /**
   * open (Linux `sgx_vepc_open`): a new instance without pages. `pageCount`: pages that mappings of it will reach;
   * Linux has no such limit.
   *
   * @returns null: no memory (`-ENOMEM`)
   */
  open(pageCount: number): Vepc | null {
    if (this.#components.failures?.fails('kmalloc') === true) return null;
    const vepc = new Vepc(this.#nextOwner, pageCount, this.#components, this.owner !== null);
    this.#instances.set(this.#nextOwner++, vepc);
    return vepc;
  }

  /**
   * Close of an instance that nobody has mapped, so that it has no page. Plain; SECS pages of others that could not go
   * yet are left to the next {@link release}.
   *
   * @throws MisuseError if it has been mapped, or is closed already
   */
  closeUnused(vepc: Vepc): void {
    requireUnmapped(vepc);
    if (vepc.hasBeenMapped) throw new MisuseError(`Instance ${vepc.id} has been mapped: release it.`);
    vepc.isReleased = true;
    this.#instances.delete(vepc.id);
  }

  /** Last close, after every range was unmapped and the page tables were forgotten. */
  release(thread: Thread, vepc: Vepc): Routine<void> {
    if (this.owner !== null) {
      requireUnmapped(vepc);
      vepc.isReleased = true;
      return this.owner.drop(thread, vepc.id);
    }
    return this.oversub?.releaser.close(thread, vepc) ?? this.#releaser.release(thread, vepc);
  }

  #createOwner(interrupts: VepcInterrupts, pages: VepcPages): VepcOwner {
    return new VepcOwner({
      frames: this.#components.frames,
      killer: new VepcKiller({ interrupts, pages }),
      instanceOf: (owner) => this.#instances.get(owner) as Vepc,
      giveBack: (thread, vepc) => this.#releaser.giveBack(thread, vepc),
    });
  }

  /** Instance of an owner id, or undefined: none has it, or it is released. */
  instance(owner: OwnerId): Vepc | undefined {
    return this.#instances.get(owner);
  }

  /** Instances that are not released, in order of their opening. */
  instances(): Vepc[] {
    return [...this.#instances.values()];
  }
}

/**
 * Makes the virtual EPC driver (Linux `sgx_vepc_init`).
 *
 * @returns null: the processor has no VMX, so there is no device (`-ENODEV`)
 */
export function createVepcDriver(
  options: VepcDriverOptions,
  components: VepcComponents,
  recipes: VepcDriverRecipes = {},
): VepcDriver | null {
  const { hasVmx, firstOwner } = options;
  if (!hasVmx) return null;
  if (!(Number.isSafeInteger(firstOwner) && firstOwner >= 0)) {
    throw new MisuseError('The first owner id must be a whole number from 0 up.', [`given: ${firstOwner}`]);
  }
  return new VepcDriver(firstOwner, components, recipes);
}
