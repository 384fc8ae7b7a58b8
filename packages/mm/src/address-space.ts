import type {
  AccessKind,
  AccessMonitor,
  AddressSpace,
  CpuId,
  CpuSet,
  LockFactory,
  MmId,
  ObjectRegistry,
  Op,
  OwnerId,
  PageIndex,
  PageTable,
  Probe,
  RefCount,
  RwLock,
  Thread,
  WalkResult,
} from '@epckit/interface';
import { Mode, op, Walk } from '@epckit/interface';
import { createCpuSet } from './cpu-set.js';
import type { PageTableHost } from './page-table.js';
import { BytePageTable } from './page-table.js';

/** What {@link createAddressSpace} makes. */
export interface AddressSpaceOptions {
  /** Dense id. */
  readonly id: MmId;
  /** Name for reports, such as that of the process. */
  readonly name: string;
  /** Number of CPUs of the machine. */
  readonly cpuCount: number;
}

/** Tells the EPC page of an owner's page. */
export type FrameLookup = (owner: OwnerId, page: number) => PageIndex;

/** What an address space uses. */
export interface AddressSpaceComponents {
  /** Makes the mmap lock and the user count. */
  readonly locks: LockFactory;
  /** Gives out object numbers for ops. */
  readonly objects: ObjectRegistry;
  /** The checking mode, or `null`. */
  readonly monitor: AccessMonitor | null;
  /** Trace points, or `null`. */
  readonly probe: Probe | null;
  /**
   * EPC page that holds `page` of `owner`, or `-1`. Asked when an entry is inserted, so under the locks that the
   * owner holds then; the entry keeps the answer. Without it entries name no EPC page.
   */
  readonly frameOf?: FrameLookup;
  /**
   * Called directly before entries of `owner` are looked at or changed by anybody but the thread that accesses memory:
   * in a timed world those accesses may lag. Left out: nothing lags.
   */
  readonly catchUp?: (thread: Thread, owner: OwnerId) => void;
}

class ProcessAddressSpace implements AddressSpace, PageTableHost {
  readonly id: MmId;
  readonly lock: RwLock;
  readonly users: RefCount;
  readonly cpusReading: Op;
  readonly cpusWriting: Op;
  readonly objects: ObjectRegistry;
  readonly monitor: AccessMonitor | null;
  readonly probe: Probe | null;
  readonly frameOf: FrameLookup | null;
  readonly catchUp: ((thread: Thread, owner: OwnerId) => void) | null;
  readonly #cpus: CpuSet;
  readonly #cpusObject: number;
  readonly #tables = new Map<OwnerId, BytePageTable>();

  constructor(options: AddressSpaceOptions, components: AddressSpaceComponents) {
    const { objects, locks } = components;
    this.id = options.id;
    this.objects = objects;
    this.monitor = components.monitor;
    this.probe = components.probe;
    this.frameOf = components.frameOf ?? null;
    this.catchUp = components.catchUp ?? null;
    this.lock = locks.rwLock('mmap');
    this.users = locks.refCount(`users of ${options.name}`, 1);
    this.#cpus = createCpuSet(options.cpuCount);
    this.#cpusObject = objects.range(`CPUs of ${options.name}`, 1);
    this.cpusReading = op(this.#cpusObject, Mode.READ);
    this.cpusWriting = op(this.#cpusObject, Mode.WRITE);
  }

  get cpus(): CpuSet {
    this.monitor?.atomic(this.#cpusObject, Mode.READ);
    return this.#cpus;
  }

  load(cpu: CpuId): void {
    this.monitor?.atomic(this.#cpusObject, Mode.WRITE);
    this.#cpus.add(cpu);
  }

  unload(cpu: CpuId): void {
    this.monitor?.atomic(this.#cpusObject, Mode.WRITE);
    this.#cpus.delete(cpu);
  }

  tableFor(owner: OwnerId, pageCount: number): PageTable {
    const known = this.#tables.get(owner);
    if (known !== undefined) return known;
    const table = new BytePageTable(owner, pageCount, this);
    this.#tables.set(owner, table);
    return table;
  }

  table(owner: OwnerId): PageTable | undefined {
    return this.#tables.get(owner);
  }

  tables(): Iterable<PageTable> {
    return this.#tables.values();
  }

  forget(owner: OwnerId): void {
    this.#tables.delete(owner);
  }

  copyFrom(thread: Thread, parent: AddressSpace): void {
    for (const table of parent.tables()) {
      this.tableFor(table.owner, table.pte.length).copyFrom(thread, table);
    }
  }

  walk(owner: OwnerId, page: number, kind: AccessKind): WalkResult {
    return this.#tables.get(owner)?.walk(page, kind) ?? Walk.NO_MAPPING;
  }
}

/**
 * Makes an address space without mappings and with one user (Linux `mm_alloc`).
 *
 * The model has no translation cache: removing an entry is the shootdown, and the accessed bit is set at each
 * access. What a stale translation could do is judged by the tracking of the hardware model.
 */
export function createAddressSpace(
  options: AddressSpaceOptions,
  components: AddressSpaceComponents,
): AddressSpace {
  return new ProcessAddressSpace(options, components);
}
