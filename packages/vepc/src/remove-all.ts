import type { LeafResult, Routine, Thread } from '@epckit/interface';
import { Cost, Errno, FAULT_FLAG, LeafFault, NONE, SgxCode } from '@epckit/interface';
import type { VepcComponents } from './components.js';
import type { VepcPages } from './pages.js';
import type { Vepc } from './vepc.js';

/** `SGX_IOC_VEPC_REMOVE_ALL`, `_IO(0xA4, 0x04)`. */
export const VEPC_REMOVE_ALL = 0xa404;

/**
 * ioctls of an instance (Linux `sgx_vepc_ioctl`, `sgx_vepc_remove_all`): the one that makes all pages unused again
 * when a guest reboots. Takes no lock and looks at no signal.
 */
export class RemoveAll {
  /** What the driver is made of. */
  protected readonly components: VepcComponents;
  /** EREMOVE of guest pages. */
  protected readonly pages: VepcPages;

  constructor(components: VepcComponents, pages: VepcPages) {
    this.components = components;
    this.pages = pages;
  }

  /** @returns result of {@link run}; `-EINVAL` for an argument other than 0, `-ENOTTY` for another command */
  *ioctl(thread: Thread, vepc: Vepc, command: number, argument: number): Routine<number> {
    if (command !== VEPC_REMOVE_ALL) return -Errno.ENOTTY;
    if (argument !== 0) return -Errno.EINVAL;
    return yield* this.run(thread, vepc);
  }

  /**
   * EREMOVE of every page in ascending order; pages stay allocated and mapped.
   *
   * @returns pages that are a SECS with children left, here or in another instance; `-EBUSY`: a CPU is inside an
   * enclave, or somebody else removes pages of it, and the pages before are removed already
   */
  *run(thread: Thread, vepc: Vepc): Routine<number> {
    let failures = 0;
    for (let index = 0; ; index++) {
      if (thread.spend(Cost.STEP) > thread.limit) yield vepc.pages.reading;
      index = vepc.pages.next(index);
      if (index === NONE) return failures;
      const result = yield* this.pages.remove(thread, vepc.pages.get(index));
      if (result === SgxCode.CHILD_PRESENT) failures++;
      else if (result !== SgxCode.SUCCESS) return this.refused(thread, result);
    }
  }

  /** A conflict (#GP) and an active enclave are what user space did; any other fault is a warning. */
  protected refused(thread: Thread, result: LeafResult): number {
    const isFault = (result & FAULT_FLAG) !== 0;
    if (isFault && result !== LeafFault.GP) this.components.probe?.warned(thread.id, 'sgx_vepc_remove_all');
    return -Errno.EBUSY;
  }
}

/**
 * Takes the instance's lock, which Linux does not: a fault that cannot insert its entry gives the page back, and
 * without the lock REMOVE_ALL may still be about to execute EREMOVE on it, for whoever has it by then (derived).
 */
export class LockingRemoveAll extends RemoveAll {
  override *run(thread: Thread, vepc: Vepc): Routine<number> {
    while (vepc.lock.mustWait(thread)) yield vepc.lock.acquire;
    const result = yield* super.run(thread, vepc);
    vepc.lock.release(thread);
    return result;
  }
}
