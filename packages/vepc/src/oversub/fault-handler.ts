import type { AddressSpace, Routine, Thread, Vma } from '@epckit/interface';
import { Cost, Errno } from '@epckit/interface';
import type { VepcComponents } from '../components.js';
import type { VepcFaultResultId } from '../fault.js';
import { VepcFaultHandler, VepcFaultResult } from '../fault.js';
import type { Vepc } from '../vepc.js';
import type { OversubParts } from './parts.js';

/** Page faults of a driver with host reclaim: instances without reclaim are handled as before. */
export class OversubFaultHandler extends VepcFaultHandler {
  readonly #base: VepcFaultHandler;
  readonly #parts: OversubParts;

  constructor(components: VepcComponents, base: VepcFaultHandler, parts: OversubParts) {
    super(components);
    this.#base = base;
    this.#parts = parts;
  }

  /**
   * As {@link VepcFaultHandler.fault}, and evicted pages come back. RETRY: the mmap lock was dropped, and if EPC was
   * wanting one pass of the reclaimer has run without any lock; a page in a reclaimer's hands is only waited for.
   */
  override *fault(
    thread: Thread,
    mm: AddressSpace,
    vma: Vma,
    vepc: Vepc,
    index: number,
    mayRetry = true,
  ): Routine<VepcFaultResultId> {
    const instance = this.#parts.instances.of(vepc.id);
    if (instance === undefined) return yield* this.#base.fault(thread, mm, vma, vepc, index, mayRetry);
    while (vepc.lock.mustWait(thread)) yield vepc.lock.acquire;
    const isOwn = mm === instance.vm.mm;
    const result = isOwn ? yield* this.#parts.faults.handle(thread, instance, index) : -Errno.EFAULT;
    vepc.lock.release(thread);
    const isMapped = mm.table(vepc.id)?.pte[index] !== 0;
    this.components.probe?.faultHandled(thread.id, vepc.id, index, isMapped);
    // A signal at the limit is delivered first, and the access comes again (V-39).
    if (result === 0 || result === -Errno.ERESTARTSYS) return VepcFaultResult.NOPAGE;
    const isWanting = result === -Errno.EBUSY;
    if (!(isWanting || result === -Errno.EAGAIN) || !mayRetry) return VepcFaultResult.SIGBUS;
    mm.lock.releaseRead(thread);
    if (isWanting) yield* this.reclaim(thread);
    return VepcFaultResult.RETRY;
  }

  /** One pass. While all pages are in batches of others there is nothing to do but wait for them. */
  protected *reclaim(thread: Thread): Routine<void> {
    const { reclaimer } = this.#parts.oversub;
    if (!(yield* reclaimer.nothingReclaimable(thread))) yield* reclaimer.batch(thread);
  }

  /**
   * EPT violation: a guest's access to a page of `vepc` that is not mapped. Takes the mmap lock and starts again as
   * often as it takes. No locks are held.
   *
   * @returns NOPAGE: the guest repeats its access, after a pending signal was handled; SIGBUS: the VM ends
   */
  *violation(thread: Thread, mm: AddressSpace, vepc: Vepc, index: number): Routine<VepcFaultResultId> {
    for (;;) {
      if (thread.spend(Cost.FAULT_KERNEL) > thread.limit) yield thread.signalReading;
      while (mm.lock.mustWaitRead(thread)) yield mm.lock.acquireRead;
      const vma = mm.table(vepc.id)?.vmaOf(index);
      const result =
        vma === undefined ? VepcFaultResult.SIGBUS : yield* this.fault(thread, mm, vma, vepc, index);
      if (result !== VepcFaultResult.RETRY) {
        mm.lock.releaseRead(thread);
        return result;
      }
      if (thread.clock > thread.limit) yield thread.signalReading;
      if (thread.signalPending) return VepcFaultResult.NOPAGE;
      if (thread.turn('sgx_vepc_fault', index)) yield thread.changeWaiting;
    }
  }
}
