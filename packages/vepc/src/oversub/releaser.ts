import type { Routine, Thread } from '@epckit/interface';
import { Cost, Errno, NONE } from '@epckit/interface';
import type { VepcReleaser } from '../release.js';
import { requireUnmapped } from '../release.js';
import type { Vepc } from '../vepc.js';
import type { Dropper } from './dropper.js';
import { GuestState } from './guest-records.js';
import type { OversubInstance } from './instance.js';
import type { OversubParts } from './parts.js';
import { lockInstance } from './section.js';
import type { VersionKeeper } from './version-keeper.js';

/** Gives an instance back when its last reference goes: that of the file, of KVM, or of a reclaimer. */
export class OversubReleaser {
  /** What the releaser works with. */
  protected readonly parts: OversubParts;
  /** Gives resident pages back. */
  protected readonly base: VepcReleaser;
  /** Version array pages. */
  protected readonly versions: VersionKeeper;
  /** Forgets evicted pages. */
  protected readonly dropper: Dropper;

  constructor(parts: OversubParts, base: VepcReleaser, versions: VersionKeeper, dropper: Dropper) {
    this.parts = parts;
    this.base = base;
    this.versions = versions;
    this.dropper = dropper;
  }

  /** Last close. Without reclaim everything goes at once. */
  *close(thread: Thread, vepc: Vepc): Routine<void> {
    const instance = this.parts.instances.of(vepc.id);
    if (instance === undefined) return yield* this.base.release(thread, vepc);
    requireUnmapped(vepc);
    vepc.isReleased = true;
    if (thread.spend(Cost.STEP) > thread.limit) yield instance.refs.writing;
    if (instance.refs.put(thread)) yield* this.finish(thread, instance);
  }

  /** The last reference is gone: evicted pages, version arrays, then the three passes over what is resident. */
  *finish(thread: Thread, instance: OversubInstance): Routine<void> {
    yield* lockInstance(thread, instance);
    yield* this.dropAll(thread, instance);
    yield* this.unlistAll(thread, instance);
    yield* this.versions.free(thread, instance);
    instance.paging.backing.close();
    instance.vepc.lock.release(thread);
    this.parts.instances.delete(instance);
    yield* this.base.giveBack(thread, instance.vepc);
  }

  /** Forgets what is evicted; a SECS elsewhere counts its children down. */
  protected *dropAll(thread: Thread, instance: OversubInstance): Routine<void> {
    const { records } = instance;
    for (let index = records.next(0); index !== NONE; index = records.next(index + 1)) {
      if (records.state(index) === GuestState.EVICTED) yield* this.dropper.drop(thread, instance, index);
    }
  }

  /** Takes resident pages from the reclaimer, which holds none of them: each in its hands is a reference. */
  protected *unlistAll(thread: Thread, { vepc, id }: OversubInstance): Routine<void> {
    for (let index = vepc.pages.next(0); index !== NONE; index = vepc.pages.next(index + 1)) {
      const page = vepc.pages.get(index);
      while ((yield* this.parts.oversub.lists.unmark(thread, page)) === -Errno.EBUSY) {
        if (thread.turn('sgx_vepc_release', id)) yield thread.changeWaiting;
      }
    }
  }
}
