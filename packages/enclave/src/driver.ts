import type { OwnerId, PageOwner } from '@epckit/interface';
import { InvariantViolation, NONE } from '@epckit/interface';
import { AddPages } from './add-pages.js';
import type { EnclaveDriverComponents } from './components.js';
import { Create } from './create.js';
import { Enclave } from './enclave.js';
import { FaultHandler } from './fault.js';
import { Init } from './init.js';
import { Loader } from './load.js';
import { Mapper } from './map.js';
import type { NativeOwnerParts } from './native-owner.js';
import { NativeOwner } from './native-owner.js';
import { EnclavePages } from './pages.js';
import { Releaser } from './release.js';

/** Recipes to replace; the default is Linux 6.12. */
export interface EnclaveDriverRecipes {
  /** Makes the loader. */
  readonly loader?: (components: EnclaveDriverComponents, pages: EnclavePages) => Loader;
  /** Makes the owner that the reclaimer talks to. */
  readonly owner?: (parts: NativeOwnerParts) => NativeOwner;
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
  /** mmap, munmap, close. */
  readonly mapper: Mapper;
  /** Page faults. */
  readonly faults: FaultHandler;

  readonly #components: EnclaveDriverComponents;
  readonly #enclaves: (Enclave | undefined)[] = [];
  #nextBasePage = 0x1000_0000;

  constructor(components: EnclaveDriverComponents, recipes: EnclaveDriverRecipes = {}) {
    this.#components = components;
    const pages = new EnclavePages(components);
    const releaser = new Releaser(components, pages, (enclave) => this.#forget(enclave));
    const loader = recipes.loader?.(components, pages) ?? new Loader(components, pages);
    const parts = { components, pages, releaser, enclaveOf: (owner: OwnerId) => this.enclave(owner) };
    this.owner = recipes.owner?.(parts) ?? new NativeOwner(parts);
    this.create = new Create(components, pages);
    this.addPages = new AddPages(components, pages);
    this.init = new Init(components);
    this.mapper = new Mapper(releaser);
    this.faults = new FaultHandler(components, loader);
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
