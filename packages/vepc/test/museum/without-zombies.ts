import type { Routine, Thread } from '@epckit/interface';
import type { Vepc } from '../../src/index.js';
import { VepcReleaser } from '../../src/recipes.js';

/**
 * A release that forgets SECS pages whose children are in another instance (V-02: the driver before its zombie
 * list, kvm-sgx 5.6-rc5 r1): nobody frees them any more.
 */
export class WithoutZombies extends VepcReleaser {
  override *release(thread: Thread, vepc: Vepc): Routine<void> {
    vepc.isReleased = true;
    yield* this.freeChildren(thread, vepc);
    yield* this.freeSecs(thread, vepc);
    this.parts.forget(vepc);
  }
}
