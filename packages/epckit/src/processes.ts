import type { Enclave, EnclaveDriver, MapArgument } from '@epckit/enclave';
import type { AddressSpace, ErrnoResult, Routine, Thread } from '@epckit/interface';
import { Errno, MisuseError } from '@epckit/interface';
import type { Process } from './process.js';

/** Drops the reference of an address space that has gone, in a later turn (Linux `mmu_notifier_put`). */
export interface LateDrop {
  /** Enclave whose reference it is. */
  readonly enclave: Enclave;
}

/** Told where processes begin and end: a tree of cgroups. */
export interface ProcessPlacement {
  /** A process that nobody has forked. `directory`: from the mount point; the root if left out. */
  born(process: Process, directory: string | undefined): void;
  /** fork: the child is where its parent is. */
  forked(thread: Thread, parent: Process, child: Process): Routine<void>;
  /** The process has gone with all it had. */
  exited(thread: Thread, process: Process): Routine<void>;
}

/**
 * Processes and their files: descriptors, mappings, fork, exit. An enclave's file lives as long as a process
 * has a descriptor of it or maps it; then the driver hears of the close (Linux `struct file`, `fput`).
 */
export class Processes {
  readonly #driver: EnclaveDriver;
  readonly #createSpace: (name: string) => AddressSpace;
  /** Processes that have not exited, with one entry per descriptor of an enclave in order of opening. */
  readonly #descriptors = new Map<Process, Enclave[]>();
  /** Enclaves whose file is open. */
  readonly #open = new Set<Enclave>();
  #late: LateDrop[] = [];
  readonly #placement: ProcessPlacement | null;

  /** @param placement - told of processes; `null`: nobody is */
  constructor(
    driver: EnclaveDriver,
    createSpace: (name: string) => AddressSpace,
    placement: ProcessPlacement | null = null,
  ) {
    this.#driver = driver;
    this.#createSpace = createSpace;
    this.#placement = placement;
  }

  /** Processes that have not exited, in order of creation. */
  get living(): readonly Process[] {
    return [...this.#descriptors.keys()];
  }

  /**
   * Makes a process without descriptors and mappings.
   *
   * @param directory - of the cgroup tree that it is in; the root unless given
   * @throws MisuseError if there is no such directory, or no cgroups at all
   */
  create(name: string, directory?: string): Process {
    if (directory !== undefined && this.#placement === null) {
      throw new MisuseError(`Process '${name}' cannot be in cgroup '${directory}': there are no cgroups.`);
    }
    const process = this.#make(name);
    this.#placement?.born(process, directory);
    return process;
  }

  /** open of the enclave device: a new enclave with one descriptor. */
  open(process: Process): Enclave {
    const enclave = this.#driver.open();
    this.#open.add(enclave);
    this.#of(process).push(enclave);
    return enclave;
  }

  /** close of one descriptor. @returns false if the process has none */
  *close(thread: Thread, process: Process, enclave: Enclave): Routine<boolean> {
    const descriptors = this.#of(process);
    const index = descriptors.indexOf(enclave);
    if (index < 0) return false;
    descriptors.splice(index, 1);
    yield* this.#put(thread, enclave);
    return true;
  }

  /** mmap at a fixed address. */
  *map(thread: Thread, process: Process, enclave: Enclave, argument: MapArgument): Routine<ErrnoResult> {
    const result = yield* this.#driver.mapper.map(thread, process.mm, enclave, argument);
    yield* this.#put(thread, enclave);
    return result;
  }

  /** munmap. @returns 0 or `-EINVAL` for an empty range */
  *unmap(
    thread: Thread,
    process: Process,
    enclave: Enclave,
    start: number,
    end: number,
  ): Routine<ErrnoResult> {
    if (!(start < end)) return -Errno.EINVAL;
    yield* this.#driver.mapper.unmap(thread, process.mm, enclave, start, end);
    yield* this.#put(thread, enclave);
    return 0;
  }

  /**
   * fork: the child has the parent's descriptors, mappings and entries, not young. A mapping that the driver
   * cannot take note of is an orphan in the child.
   *
   * Both mmap locks are held throughout, as in Linux: who removes entries meanwhile waits for the parent's, and then
   * finds the child in the enclave's list.
   */
  *fork(thread: Thread, parent: Process, name: string): Routine<Process> {
    const child = this.#make(name);
    if (this.#placement !== null) yield* this.#placement.forked(thread, parent, child);
    const { mm } = child;
    this.#of(child).push(...this.#of(parent));
    const { lock } = parent.mm;
    while (lock.mustWaitWrite(thread)) yield lock.acquireWrite;
    while (mm.lock.mustWaitWrite(thread, true)) yield mm.lock.acquireWrite;
    for (const enclave of this.#mapped(parent.mm)) {
      const table = parent.mm.table(enclave.id);
      if (table === undefined) continue;
      const copy = mm.tableFor(enclave.id, table.pte.length);
      if (thread.clock > thread.limit) yield table.pteAt(0);
      copy.copyFrom(thread, table);
      for (const vma of table.vmas) {
        if (vma.isOrphan === true) continue;
        const result = yield* this.#driver.mapper.addSpace(thread, mm, enclave);
        if (result === 0) continue;
        if (thread.clock > thread.limit) yield copy.pteAt(vma.start);
        copy.orphan(thread, vma.start);
      }
    }
    mm.lock.releaseWrite(thread);
    lock.releaseWrite(thread);
    return child;
  }

  /** exit: notifiers, then mappings, then descriptors. {@link dropLate} does the rest. */
  *exit(thread: Thread, process: Process): Routine<void> {
    const { mm } = process;
    const descriptors = this.#of(process);
    mm.users.put(thread);
    const mapped = this.#mapped(mm);
    // Notifiers are called newest first.
    for (const enclave of this.#inOrderOfMapping(mm).reverse()) {
      if (yield* this.#driver.mapper.leaveSpace(thread, mm, enclave)) this.#late.push({ enclave });
    }
    for (const enclave of mapped) {
      const pageCount = this.#end(mm, enclave);
      yield* this.#driver.mapper.unmap(thread, mm, enclave, 0, pageCount);
      mm.forget(enclave.id);
      yield* this.#put(thread, enclave);
    }
    this.#descriptors.delete(process);
    for (const enclave of descriptors) yield* this.#put(thread, enclave);
    if (this.#placement !== null) yield* this.#placement.exited(thread, process);
  }

  /** Ends everything that processes have of an enclave: mappings everywhere, then all descriptors. */
  *endAll(thread: Thread, enclave: Enclave): Routine<void> {
    for (const { mm } of this.living) {
      yield* this.#driver.mapper.unmap(thread, mm, enclave, 0, this.#end(mm, enclave));
      mm.forget(enclave.id);
    }
    for (const [process, descriptors] of this.#descriptors) {
      const kept = descriptors.filter((other) => other !== enclave);
      this.#descriptors.set(process, kept);
    }
    yield* this.#put(thread, enclave);
  }

  /** Drops the references of address spaces that have gone; their grace periods are over. */
  *dropLate(thread: Thread): Routine<void> {
    const late = this.#late;
    this.#late = [];
    for (const { enclave } of late) yield* this.#driver.mapper.drop(thread, enclave);
  }

  /** Is there something for {@link dropLate}? */
  get hasLate(): boolean {
    return this.#late.length > 0;
  }

  /** Closes the file if nobody has it any more. */
  *#put(thread: Thread, enclave: Enclave): Routine<void> {
    if (!this.#open.has(enclave) || this.#isUsed(enclave)) return;
    this.#open.delete(enclave);
    yield* this.#driver.mapper.closeFile(thread, enclave);
  }

  /** Enclaves that the address space maps, by address. */
  #mapped(mm: AddressSpace): Enclave[] {
    return this.#driver
      .enclaves()
      .filter((enclave) => mm.table(enclave.id) !== undefined)
      .sort((a, b) => a.basePage - b.basePage);
  }

  /** Enclaves that the address space maps, in the order in which it has mapped them first. */
  #inOrderOfMapping(mm: AddressSpace): Enclave[] {
    const owners = [...mm.tables()].map(({ owner }) => owner);
    return this.#mapped(mm).sort((a, b) => owners.indexOf(a.id) - owners.indexOf(b.id));
  }

  /** Page after the last that is mapped: mappings may reach beyond the range. */
  #end(mm: AddressSpace, enclave: Enclave): number {
    return Math.max(enclave.pageCount, mm.table(enclave.id)?.vmas.at(-1)?.end ?? 0);
  }

  /** Has a process a descriptor or a mapping of the enclave? */
  #isUsed(enclave: Enclave): boolean {
    return [...this.#descriptors].some(([{ mm }, descriptors]) => {
      return descriptors.includes(enclave) || (mm.table(enclave.id)?.vmas.length ?? 0) > 0;
    });
  }

  #make(name: string): Process {
    const process: Process = { name, mm: this.#createSpace(name) };
    this.#descriptors.set(process, []);
    return process;
  }

  #of(process: Process): Enclave[] {
    const descriptors = this.#descriptors.get(process);
    if (descriptors !== undefined) return descriptors;
    throw new MisuseError(`Process '${process.name}' was not made here, or has exited.`);
  }
}
