import type { LeafResult, Routine, Thread } from '@epckit/interface';
import { SgxCode } from '@epckit/interface';
import type { DynamicMemoryComponents } from './components.js';
import type { Enclave } from './enclave.js';

/**
 * Makes sure that no thread of an enclave keeps a translation from before a change: ETRACK, then an interrupt to
 * every CPU that may be inside (Linux `sgx_enclave_etrack`). The enclave's lock is held, also while IPIs are on
 * their way.
 */
export class TrackingCycle {
  /** What dynamic memory is made of. */
  protected readonly components: DynamicMemoryComponents;

  constructor(components: DynamicMemoryComponents) {
    this.components = components;
  }

  /**
   * ETRACK is refused while threads of the cycle before are inside: they are thrown out, and it is tried once
   * more. Threads are thrown out after the cycle has begun in any case: entries from then on are new ones.
   *
   * @returns whether a cycle has begun
   */
  *run(thread: Thread, enclave: Enclave): Routine<boolean> {
    if ((yield* this.track(thread, enclave)) !== SgxCode.SUCCESS) {
      yield* this.interrupt(thread, enclave);
      if ((yield* this.track(thread, enclave)) !== SgxCode.SUCCESS) return false;
    }
    yield* this.interrupt(thread, enclave);
    return true;
  }

  /** ETRACK. @returns result of the leaf */
  protected track(thread: Thread, enclave: Enclave): Routine<LeafResult> {
    return this.components.tracker.track(thread, enclave.secs);
  }

  /** One round of IPIs to the CPUs of every address space that maps the enclave. */
  protected *interrupt(thread: Thread, enclave: Enclave): Routine<void> {
    const cpus = this.components.createCpuSet();
    yield* enclave.collectCpus(thread, cpus);
    yield* this.components.ipi.send(thread, cpus);
  }
}
