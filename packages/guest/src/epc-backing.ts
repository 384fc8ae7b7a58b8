import type { AddressSpace, Routine, Thread } from '@epckit/interface';
import { Cost, Errno, Prot } from '@epckit/interface';
import type { MachineThread } from '@epckit/machine';
import type { OversubVm, Vepc, VepcAddress } from '@epckit/vepc';
import { VepcFaultResult } from '@epckit/vepc';
import type { GuestHost } from './host.js';

/** Faults of one page after which the host gives up, so that a search finds an end. */
const MAX_HOST_FAULTS = 100_000;

/** Memory of the VMM behind the sections: instances of the virtual EPC device that it opens, maps, touches and closes. */
export class EpcBacking {
  readonly #mm: AddressSpace;
  readonly #host: GuestHost;

  constructor(mm: AddressSpace, host: GuestHost) {
    this.#mm = mm;
    this.#host = host;
  }

  /** New instances as large as those of `before`, mapped. @returns negated errno: there are none */
  *replace(thread: Thread, vm: OversubVm, before: readonly Vepc[]): Routine<Vepc[] | number> {
    const after: Vepc[] = [];
    for (const { pageCount } of before) {
      const vepc = this.#host.vepc.open(pageCount);
      if (vepc !== null) after.push(vepc);
      const result = vepc === null ? -Errno.ENOMEM : yield* this.map(thread, vm, vepc);
      if (result === 0) continue;
      yield* this.close(thread, after);
      return result;
    }
    return after;
  }

  /** mmap of an instance, handed to host reclaim before. @returns 0 or a negated errno */
  *map(thread: Thread, vm: OversubVm, vepc: Vepc): Routine<number> {
    const { vepc: driver } = this.#host;
    if (driver.oversub !== null) {
      const enabled = yield* driver.oversub.enabler.enable(thread, vepc, vm);
      if (enabled !== 0) return enabled;
    }
    const range = { start: 0, end: vepc.pageCount, prot: Prot.R | Prot.W | Prot.X };
    return yield* driver.mapper.map(thread, this.#mm, vepc, range);
  }

  /** The VMM touches every page of an instance (`prealloc=on`). @returns 0, or `-ENOMEM`: SIGBUS */
  *touchAll(thread: Thread, vepc: Vepc): Routine<number> {
    for (let page = 0; page < vepc.pageCount; page++) {
      if (!(yield* this.faultIn(thread, { mm: this.#mm, vepc, page }))) return -Errno.ENOMEM;
    }
    return 0;
  }

  /** Page faults of the VMM on a page, until it is there. @returns false: SIGBUS */
  *faultIn(thread: Thread, { mm, vepc, page }: VepcAddress): Routine<boolean> {
    const { machine, vepc: driver } = this.#host;
    for (let faults = 0; faults < MAX_HOST_FAULTS; faults++) {
      // Who comes again for a page that a thread of the same CPU works on must let it run some time.
      thread.spend(Cost.FAULT_KERNEL);
      while (mm.lock.mustWaitRead(thread)) yield mm.lock.acquireRead;
      const vma = mm.table(vepc.id)?.vmaOf(page);
      let result: number = VepcFaultResult.SIGBUS;
      if (vma !== undefined) result = yield* driver.faults.fault(thread, mm, vma, vepc, page);
      if (result !== VepcFaultResult.RETRY) mm.lock.releaseRead(thread);
      yield* takeSignal(thread);
      if (result !== VepcFaultResult.RETRY) return result === VepcFaultResult.NOPAGE;
      machine.returnToUser();
      if (thread.turn('vEPC fault', page)) yield thread.changeWaiting;
    }
    return false;
  }

  /** REMOVE_ALL on every instance, and again where a SECS was left. @returns pages left, or `-EBUSY` */
  *removeAll(thread: Thread, instances: readonly Vepc[]): Routine<number> {
    let left = 0;
    const again: Vepc[] = [];
    for (const vepc of instances) {
      const rest = yield* this.#host.vepc.removeAll.run(thread, vepc);
      if (rest < 0) return rest;
      if (rest > 0) again.push(vepc);
    }
    for (const vepc of again) {
      const rest = yield* this.#host.vepc.removeAll.run(thread, vepc);
      if (rest < 0) return rest;
      left += rest;
    }
    return left;
  }

  /** munmap and last close of instances. */
  *close(thread: Thread, instances: readonly Vepc[]): Routine<void> {
    const { vepc: driver } = this.#host;
    if (driver.oversub !== null) {
      for (const vepc of instances) yield* driver.oversub.enabler.disable(thread, vepc);
    }
    for (const vepc of instances) {
      yield* driver.mapper.unmap(thread, this.#mm, vepc, 0, vepc.pageCount);
      this.#mm.forget(vepc.id);
    }
    for (const vepc of instances) yield* driver.release(thread, vepc);
  }
}

/** A pending signal makes KVM return to the VMM, which handles it and enters the guest again. */
function* takeSignal(thread: Thread): Routine<void> {
  if (thread.clock > thread.limit) yield thread.signalReading;
  if (thread.signalPending) (thread as MachineThread).signalPending = false;
}
