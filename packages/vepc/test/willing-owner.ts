// biome-ignore-all lint/correctness/useYield: it stops nowhere
import type { Op, PageOwner, Routine } from '@epckit/interface';
import { Blocked, Killed, OwnerKind, Pin, Prepared, Written } from '@epckit/interface';

/** An owner that lets every page go at once; its pages are unused in the EPCM. */
export class WillingOwner implements PageOwner {
  readonly kind = OwnerKind.FIRST_CUSTOM;
  pinAt = (): Op => 0;
  get = () => Pin.PINNED;
  putAt = (): Op => 0;
  put = () => false;

  *young(): Routine<boolean> {
    return false;
  }
  *prepare() {
    return Prepared.READY;
  }
  *block() {
    return Blocked.OK;
  }
  *write() {
    return Written.FREED;
  }
  *release(): Routine<void> {}
  *kill() {
    return Killed.MARKED;
  }
}
