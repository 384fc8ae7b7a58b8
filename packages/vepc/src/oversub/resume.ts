import type { Routine, Thread } from '@epckit/interface';
import { NONE } from '@epckit/interface';
import type { Vepc } from '../vepc.js';
import type { Dropper } from './dropper.js';
import { GuestClass, GuestState } from './guest-records.js';
import type { OversubParts } from './parts.js';
import { lockInstance } from './section.js';
import type { VersionKeeper } from './version-keeper.js';

/**
 * After a loss of power all versions and keys are gone: no evicted page could be loaded any more. The guest finds its
 * pages unused, as it finds those that were resident.
 */
export class Resume {
  /** What it works with. */
  protected readonly parts: OversubParts;
  /** Version array pages. */
  protected readonly versions: VersionKeeper;
  /** Forgets evicted pages. */
  protected readonly dropper: Dropper;

  constructor(parts: OversubParts, versions: VersionKeeper, dropper: Dropper) {
    this.parts = parts;
    this.versions = versions;
    this.dropper = dropper;
  }

  /** For every instance with reclaim, before a virtual CPU runs. */
  *run(thread: Thread, vepc: Vepc): Routine<void> {
    const instance = this.parts.instances.of(vepc.id);
    if (instance === undefined || instance.isDisabled) return;
    const { records } = instance;
    yield* lockInstance(thread, instance);
    for (let index = records.next(0); index !== NONE; index = records.next(index + 1)) {
      records.addEvictedChildren(index, -records.evictedChildren(index));
      records.addOwed(index, -records.owed(index));
      if (records.state(index) === GuestState.EVICTED) this.dropper.forget(thread, instance, index);
      else if (records.state(index) === GuestState.ZAPPED) records.setClass(index, GuestClass.INVALID);
    }
    yield* this.versions.renew(thread, instance);
    vepc.lock.release(thread);
  }
}
