import type {
  AccessMonitor,
  CpuSet,
  LockFactory,
  ObjectRegistry,
  OwnerId,
  PageIndex,
  PageTable,
  RdInfo,
  RefCount,
  Routine,
  Thread,
  TrackedOwner,
} from '@epckit/interface';
import { NONE } from '@epckit/interface';
import type { Vepc } from '../vepc.js';
import type { OversubPaging } from './components.js';
import { GuestRecords } from './guest-records.js';
import { HostMarks } from './host-marks.js';
import type { LoadLeaf } from './load-leaf.js';
import type { VersionStore } from './version-keeper.js';
import type { OversubVm } from './vm.js';

/** What an instance needs of its surroundings. */
export interface OversubInstanceParts {
  /** The open file. */
  readonly vepc: Vepc;
  /** Whose guest's pages they are. */
  readonly vm: OversubVm;
  /** First page of the instance in the numbering of host pages. */
  readonly firstHostPage: number;
  /** Executes the loads; told which of them first. */
  readonly loadLeaf: LoadLeaf;
  /** Scratch set of CPUs. */
  readonly cpus: CpuSet;
  /** Makes locks. */
  readonly locks: LockFactory;
  /** Gives out object numbers. */
  readonly objects: ObjectRegistry;
  /** The checking mode, or `null`. */
  readonly monitor: AccessMonitor | null;
}

/**
 * An instance with reclaim enabled (`struct sgx_virt_epc` of the reclaim-enabled branch). Everything but marks and
 * reference count is read and written under the instance's lock.
 */
export class OversubInstance implements TrackedOwner {
  /** The open file: its lock is the instance's, its page array has the EPC pages. */
  readonly vepc: Vepc;
  /** Whose guest's pages they are. */
  readonly vm: OversubVm;
  /** References: of the file, of KVM until the end of the VM, of the reclaimer per isolated page. */
  readonly refs: RefCount;
  /** What is known of each page. */
  readonly records: GuestRecords;
  /** Excuses for conflict exits of SECS pages. */
  readonly marks: HostMarks;
  /** First page of the instance in the numbering of host pages. */
  readonly firstHostPage: number;
  /** Executes the loads. */
  readonly loadLeaf: LoadLeaf;
  /** CPUs to kick; scratch memory under the lock. */
  readonly cpus: CpuSet;
  /** What ERDINFO fills; scratch memory under the lock. */
  readonly info: RdInfo = { status: 0, flags: 0, blocked: false, context: 0 };
  /** Version array pages of the host by number, `-1` for one that is gone or evicted. */
  versionArrays: readonly PageIndex[] = [];
  /** Version array pages that can be evicted; null: all stay. */
  versionStore: VersionStore | null = null;
  /** The one mapping was made. */
  isMapped = false;
  /** Something unexpected has happened, or the VM is gone: faults fail, no page is written any more. */
  isDead = false;
  /** The VM is gone: KVM's reference and the version arrays were given back. */
  isDisabled = false;
  /** SECS of the page that is being written, for the ladder. */
  secs: PageIndex = NONE;
  #paging: OversubPaging | null = null;

  constructor(parts: OversubInstanceParts) {
    const { vepc, vm, locks, objects, monitor } = parts;
    const name = `vEPC ${vepc.id}`;
    this.vepc = vepc;
    this.vm = vm;
    this.firstHostPage = parts.firstHostPage;
    this.loadLeaf = parts.loadLeaf;
    this.cpus = parts.cpus;
    this.refs = locks.refCount(`references of ${name}`, 2);
    this.records = new GuestRecords(vepc.pageCount, name, objects, monitor);
    this.marks = new HostMarks(vepc.pageCount, name, objects, monitor);
  }

  /** Owner id, for trace points. */
  get id(): OwnerId {
    return this.vepc.id;
  }

  /** Where evicted pages go. */
  get paging(): OversubPaging {
    return this.#paging as OversubPaging;
  }

  /** Says where evicted pages go, once, before anybody can reach the instance. */
  connect(paging: OversubPaging): void {
    this.#paging = paging;
  }

  /** Page table of the instance if the VMM still maps `index` there; the mmap lock is held. */
  tableAt(index: number): PageTable | undefined {
    const table = this.vm.mm.table(this.vepc.id);
    return table?.vmaOf(index) === undefined ? undefined : table;
  }

  /** CPUs that may be in the guest, as they are now: to be asked after a tracking cycle has begun (V-37). */
  *collectCpus(thread: Thread, cpus: CpuSet): Routine<void> {
    if (thread.clock > thread.limit) yield this.vm.mm.cpusReading;
    cpus.addAll(this.vm.mm.cpus);
  }
}
