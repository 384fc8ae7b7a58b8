import type { OwnerId, PageOwner } from '@epckit/interface';
import { InvariantViolation, NONE } from '@epckit/interface';
import { AddPages } from './add-pages.js';
import type { AugmenterParts } from './augment.js';
import { Augmenter } from './augment.js';
import type { EnclaveDriverComponents } from './components.js';
import { Create } from './create.js';
import { DebugAccess } from './debug-access.js';
import type { DynamicIoctlParts } from './dynamic-ioctl.js';
import { Enclave } from './enclave.js';
import { FaultHandler } from './fault.js';
import { Init } from './init.js';
import { Loader } from './load.js';
import { Mapper } from './map.js';
import { ModifyTypes } from './modify-types.js';
import type { NativeOwnerParts } from './native-owner.js';
import { NativeOwner } from './native-owner.js';
import { EnclavePages } from './pages.js';
import { Provision } from './provision.js';
import { Releaser } from './release.js';
import { RemovePages } from './remove-pages.js';
import { RestrictPermissions } from './restrict.js';

/** Recipes to replace; the default is Linux 6.12. */
export interface EnclaveDriverRecipes {
  /** Makes what gets EPC pages and gives them back. */
  readonly pages?: (components: EnclaveDriverComponents) => EnclavePages;
  /** Makes what gives everything back at the end. */
  readonly releaser?: (...parts: ConstructorParameters<typeof Releaser>) => Releaser;
  /** Makes ioctl CREATE. */
  readonly create?: (components: EnclaveDriverComponents, pages: EnclavePages) => Create;
  /** Makes ioctl ADD_PAGES. */
  readonly addPages?: (components: EnclaveDriverComponents, pages: EnclavePages) => AddPages;
  /** Makes mmap and its relatives. */
  readonly mapper?: (...parts: ConstructorParameters<typeof Mapper>) => Mapper;
  /** Makes the loader. */
  readonly loader?: (components: EnclaveDriverComponents, pages: EnclavePages) => Loader;
  /** Makes the owner that the reclaimer talks to. */
  readonly owner?: (parts: NativeOwnerParts) => NativeOwner;
  /** Makes the fault handler. */
  readonly faults?: (...parts: ConstructorParameters<typeof FaultHandler>) => FaultHandler;
  /** Makes what adds pages in the fault handler. */
  readonly augmenter?: (parts: AugmenterParts) => Augmenter;
  /** Makes ioctl RESTRICT_PERMISSIONS. */
  readonly restrictPermissions?: (parts: DynamicIoctlParts) => RestrictPermissions;
  /** Makes ioctl MODIFY_TYPES. */
  readonly modifyTypes?: (parts: DynamicIoctlParts) => ModifyTypes;
  /** Makes ioctl REMOVE_PAGES. */
  readonly removePages?: (parts: DynamicIoctlParts) => RemovePages;
}

/** The native enclave driver: enclaves by id, and one object per operation. */
export class EnclaveDriver {
  /** What the reclaimer talks to. */
  readonly owner: PageOwner;
  /** ioctl CREATE. */
  readonly create: Create;
  /** ioctl ADD_PAGES. */
  readonly addPages: AddPages;
  /** ioctl INIT. */
  readonly init: Init;
  /** ioctl PROVISION. */
  readonly provision: Provision;
  /** ioctl RESTRICT_PERMISSIONS. */
  readonly restrictPermissions: RestrictPermissions;
  /** ioctl MODIFY_TYPES. */
  readonly modifyTypes: ModifyTypes;
  /** ioctl REMOVE_PAGES. */
  readonly removePages: RemovePages;
  /** A debugger's accesses. */
  readonly debug: DebugAccess;
  /** mmap, munmap, mprotect, close. */
  readonly mapper: Mapper;
  /** Is a SECS without children reclaimable? */
  readonly listsSecs: boolean;
  /** Page faults. */
  readonly faults: FaultHandler;

  readonly #components: EnclaveDriverComponents;
  readonly #enclaves: (Enclave | undefined)[] = [];
  #nextBasePage = 0x1000_0000;

  constructor(components: EnclaveDriverComponents, recipes: EnclaveDriverRecipes = {}) {
    this.#components = components;
    const pages = recipes.pages?.(components) ?? new EnclavePages(components);
    this.listsSecs = pages.listsSecs;
    const forget = (enclave: Enclave) => this.#forget(enclave);
    const releaser = recipes.releaser?.(components, pages, forget) ?? new Releaser(components, pages, forget);
    const loader = recipes.loader?.(components, pages) ?? new Loader(components, pages);
    const parts = { components, pages, releaser, enclaveOf: (owner: OwnerId) => this.enclave(owner) };
    this.owner = recipes.owner?.(parts) ?? new NativeOwner(parts);
    this.create = recipes.create?.(components, pages) ?? new Create(components, pages);
    this.addPages = recipes.addPages?.(components, pages) ?? new AddPages(components, pages);
    this.init = new Init(components);
    this.provision = new Provision();
    const failures = components.failures ?? null;
    this.mapper = recipes.mapper?.(releaser, failures) ?? new Mapper(releaser, failures);
    const memory = { components, pages, loader };
    this.restrictPermissions = recipes.restrictPermissions?.(memory) ?? new RestrictPermissions(memory);
    this.modifyTypes = recipes.modifyTypes?.(memory) ?? new ModifyTypes(memory);
    this.removePages = recipes.removePages?.(memory) ?? new RemovePages(memory);
    this.debug = new DebugAccess(components, loader);
    const augmenter = recipes.augmenter?.(memory) ?? new Augmenter(memory);
    const faultParts = [components, loader, augmenter] as const;
    this.faults = recipes.faults?.(...faultParts) ?? new FaultHandler(...faultParts);
  }

  /** open: a new enclave without a range. Ids are used again after the release. */
  open(): Enclave {
    let id = this.#enclaves.indexOf(undefined, 1);
    if (id === NONE) id = Math.max(1, this.#enclaves.length);
    const enclave = new Enclave(id, this.#components);
    this.#enclaves[id] = enclave;
    return enclave;
  }

  /** Enclave of an owner id. @throws InvariantViolation if it is gone */
  enclave(owner: OwnerId): Enclave {
    const enclave = this.#enclaves[owner];
    if (enclave === undefined) throw new InvariantViolation(`Enclave ${owner} is used after its release.`);
    return enclave;
  }

  /** All enclaves that are not released, by id. */
  enclaves(): Enclave[] {
    return this.#enclaves.filter((enclave) => enclave !== undefined);
  }

  /** A range of `pageCount` pages that no enclave has had: aligned to its size. */
  chooseBasePage(pageCount: number): number {
    const size = Math.max(1, pageCount);
    const base = Math.ceil(this.#nextBasePage / size) * size;
    this.#nextBasePage = base + size;
    return base;
  }

  #forget(enclave: Enclave): void {
    this.#enclaves[enclave.id] = undefined;
  }
}

/** Makes the native enclave driver. */
export function createEnclaveDriver(
  components: EnclaveDriverComponents,
  recipes: EnclaveDriverRecipes = {},
): EnclaveDriver {
  return new EnclaveDriver(components, recipes);
}
