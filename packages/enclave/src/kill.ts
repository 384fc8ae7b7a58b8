import type {
  KilledResult,
  LeafResult,
  OwnerId,
  PageIndex,
  Routine,
  Thread,
  WrittenResult,
} from '@epckit/interface';
import { Cost, isExit, Killed, Leaf, MisuseError, servedByHost, Written } from '@epckit/interface';
import type { EnclaveDriverComponents, InterruptComponents } from './components.js';
import type { Enclave } from './enclave.js';
import { EnclaveFlag } from './enclave.js';
import type { Releaser } from './release.js';

/** What a {@link Killer} works with. */
export interface KillerParts {
  /** What the driver is made of. */
  readonly components: EnclaveDriverComponents;
  /** Gives an enclave back when its last reference goes. */
  readonly releaser: Releaser;
  /** Enclave of an owner id. */
  enclaveOf(owner: OwnerId): Enclave;
}

/**
 * Kills an enclave because EPC ran out (cgroup series v3 to v5): it is marked, its mappings go, threads leave it, its
 * address spaces leave the list. Nothing is freed here: pages in a reclaimer's batch still need backing, version slots
 * and the SECS. Everything is given back by the last reference, which usually is that of the file: the processes
 * get SIGBUS at their next access.
 */
export class Killer {
  /** What the killer works with. */
  protected readonly parts: KillerParts;

  constructor(parts: KillerParts) {
    this.parts = parts;
  }

  /** As `PageOwner.kill`: the caller's pin is consumed. */
  *kill(thread: Thread, owner: OwnerId): Routine<KilledResult> {
    const { releaser, enclaveOf } = this.parts;
    const enclave = enclaveOf(owner);
    const result = yield* this.mark(thread, enclave);
    if (result === Killed.MARKED) yield* this.die(thread, enclave);
    if (thread.spend(Cost.STEP) > thread.limit) yield enclave.refs.writing;
    if (enclave.refs.put(thread)) yield* releaser.release(thread, enclave);
    return result;
  }

  /**
   * What a batch does, under the lock, with a page of an enclave that dies instead of writing it; null: it writes it,
   * as always.
   */
  finish(
    _thread: Thread,
    _enclave: Enclave,
    _page: PageIndex,
    _index: number,
  ): Routine<WrittenResult> | null {
    return null;
  }

  /** Under the lock, so that who holds it inserts no entry and adds no page afterwards. */
  protected *mark(thread: Thread, enclave: Enclave): Routine<KilledResult> {
    while (enclave.lock.mustWait(thread)) yield enclave.lock.acquire;
    if (thread.spend(Cost.STEP) > thread.limit) yield enclave.flags.reading;
    const isCreated = (enclave.flags.read(thread) & EnclaveFlag.CREATED) !== 0;
    let result: KilledResult = isCreated ? Killed.MARKED : Killed.REFUSED;
    if (enclave.isDying) result = Killed.ALREADY_DYING;
    if (result === Killed.MARKED) {
      enclave.setDying();
      if (thread.spend(Cost.STEP) > thread.limit) yield enclave.flags.adding;
      enclave.flags.add(thread, EnclaveFlag.NO_MEMORY);
    }
    enclave.lock.release(thread);
    return result;
  }

  /** After the mark, without locks. */
  protected *die(thread: Thread, enclave: Enclave): Routine<void> {
    yield* this.unmap(thread, enclave);
    yield* this.drain(thread, enclave);
  }

  /**
   * Removes every entry and throws out every thread. None comes back: entering needs the page of its TCS. Batches that
   * end later find nobody inside, whom they could not interrupt without the list.
   */
  protected *unmap(thread: Thread, enclave: Enclave): Routine<void> {
    const { ipi, createCpuSet } = interruptsOf(this.parts.components);
    yield* enclave.mms.zapAll(thread);
    const cpus = createCpuSet();
    yield* enclave.collectCpus(thread, cpus);
    yield* ipi.send(thread, cpus);
  }

  /** Address spaces leave the list, and their references go. */
  protected *drain(thread: Thread, enclave: Enclave): Routine<void> {
    for (;;) {
      const mm = yield* enclave.mms.drainFirst(thread);
      if (mm === undefined) return;
      yield* enclave.mms.synchronize(thread);
      if (thread.spend(Cost.STEP) > thread.limit) yield enclave.refs.writing;
      // Never the last one: the killer has a pin.
      enclave.refs.put(thread);
    }
  }
}

/**
 * The kill of the 2020 trees: what no reclaimer holds is freed at once. A page in a batch is removed when the batch
 * comes to it, without EWB, and the last one takes the SECS with it. The address spaces stay on the list. Not for
 * drivers with dynamic memory, whose ioctls drop the lock between two looks at a page.
 */
export class DestroyingKiller extends Killer {
  /** @throws MisuseError if the driver has dynamic memory */
  constructor(parts: KillerParts) {
    super(parts);
    const { dynamic } = parts.components;
    if (dynamic === null || dynamic === undefined) return;
    throw new MisuseError(
      'Enclaves of a driver with dynamic memory cannot be destroyed while they live.',
      [],
      {
        hint: 'Leave the dynamic memory out, or take the kill that only marks.',
      },
    );
  }

  /** Its version arrays may be gone. A page that EREMOVE refuses stays with the enclave. */
  override *finish(thread: Thread, enclave: Enclave, page: PageIndex, index: number): Routine<WrittenResult> {
    const { hardware, probe } = this.parts.components;
    if (thread.spend(Cost.EREMOVE) > thread.limit) yield hardware.leafAt(page, thread.cpu, Leaf.EREMOVE);
    let result: LeafResult;
    do result = hardware.eremove(thread.cpu, page);
    while (isExit(result) && (yield* servedByHost(hardware, thread)));
    if (result !== 0) {
      probe?.warned(thread.id, 'sgx_encl_free_epc_page');
      return Written.KEPT;
    }
    enclave.records.erase(index);
    enclave.addChildren(-1);
    yield* this.parts.releaser.releaseSecs(thread, enclave);
    return Written.FREED;
  }

  protected override *die(thread: Thread, enclave: Enclave): Routine<void> {
    yield* this.unmap(thread, enclave);
    while (enclave.lock.mustWait(thread)) yield enclave.lock.acquire;
    yield* this.parts.releaser.destroy(thread, enclave);
    enclave.lock.release(thread);
  }
}

function interruptsOf({ interrupts, dynamic }: EnclaveDriverComponents): InterruptComponents {
  const found = interrupts ?? dynamic ?? null;
  if (found !== null) return found;
  throw new MisuseError('Killing an enclave needs interrupts.', [], {
    hint: 'Compose the driver with `interrupts`.',
  });
}
