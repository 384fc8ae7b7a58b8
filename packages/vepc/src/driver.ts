import type { OwnerId, Routine, Thread } from '@epckit/interface';
import { MisuseError } from '@epckit/interface';
import type { VepcComponents } from './components.js';
import { VepcFaultHandler } from './fault.js';
import { GuestLeaves } from './guest-leaves.js';
import { KvmLeaves } from './kvm-leaves.js';
import { VepcMapper } from './map.js';
import { VepcPages } from './pages.js';
import type { VepcReleaserParts } from './release.js';
import { VepcReleaser } from './release.js';
import { RemoveAll } from './remove-all.js';
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

  readonly #components: VepcComponents;
  readonly #releaser: VepcReleaser;
  readonly #instances = new Map<OwnerId, Vepc>();
  #nextOwner: OwnerId;

  /** @internal */
  constructor(firstOwner: OwnerId, components: VepcComponents, recipes: VepcDriverRecipes) {
    this.#components = components;
    this.#nextOwner = firstOwner;
    const pages = new VepcPages(components);
    this.mapper = new VepcMapper();
    this.faults = recipes.faults?.(components) ?? new VepcFaultHandler(components);
    this.removeAll = recipes.removeAll?.(components, pages) ?? new RemoveAll(components, pages);
    this.zombies = new ZombieSecs(components, pages);
    this.kvm = new KvmLeaves(components);
    this.guest = new GuestLeaves(components, this.kvm);
    const forget = (vepc: Vepc) => void this.#instances.delete(vepc.id);
    const parts = { pages, zombies: this.zombies, forget };
    this.#releaser = recipes.releaser?.(parts) ?? new VepcReleaser(parts);
  }

  /**
   * open (Linux `sgx_vepc_open`): a new instance without pages. `pageCount`: pages that mappings of it will reach;
   * Linux has no such limit.
   *
   * @returns null: no memory (`-ENOMEM`)
   */
  open(pageCount: number): Vepc | null {
    if (this.#components.failures?.fails('kmalloc') === true) return null;
    const vepc = new Vepc(this.#nextOwner, pageCount, this.#components);
    this.#instances.set(this.#nextOwner++, vepc);
    return vepc;
  }

  /** Last close, after every range was unmapped and the page tables were forgotten. */
  release(thread: Thread, vepc: Vepc): Routine<void> {
    return this.#releaser.release(thread, vepc);
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
