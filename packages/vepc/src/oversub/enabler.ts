import type { ErrnoResult, Routine, Thread } from '@epckit/interface';
import { Cost, Errno } from '@epckit/interface';
import type { Vepc } from '../vepc.js';
import { HostTracker } from './host-tracker.js';
import { OversubInstance } from './instance.js';
import { LoadLeaf } from './load-leaf.js';
import type { OversubParts } from './parts.js';
import type { OversubReleaser } from './releaser.js';
import { lockInstance } from './section.js';
import type { VersionKeeper } from './version-keeper.js';
import type { OversubVm } from './vm.js';

/** Turns reclaim on for an instance when KVM takes it into a VM, and off when the VM is destroyed. */
export class Enabler {
  /** What the enabler works with. */
  protected readonly parts: OversubParts;
  /** Gives an instance back when its last reference goes. */
  protected readonly releaser: OversubReleaser;
  /** Version array pages. */
  protected readonly versions: VersionKeeper;

  constructor(parts: OversubParts, releaser: OversubReleaser, versions: VersionKeeper) {
    this.parts = parts;
    this.releaser = releaser;
    this.versions = versions;
  }

  /**
   * Turns reclaim on, before anybody has mapped the file. KVM has a reference from now on.
   *
   * @returns 0; `-EINVAL`: the file is closed; `-EEXIST`: reclaim is on already, or the file was mapped before
   */
  *enable(thread: Thread, vepc: Vepc, vm: OversubVm): Routine<ErrnoResult> {
    while (vepc.lock.mustWait(thread)) yield vepc.lock.acquire;
    let result = 0;
    if (vepc.isReleased) result = -Errno.EINVAL;
    else if (this.parts.instances.of(vepc.id) !== undefined || vepc.hasBeenMapped) result = -Errno.EEXIST;
    else this.parts.instances.add(this.create(vepc, vm));
    vepc.lock.release(thread);
    return result;
  }

  /** The VM is destroyed: no page is written any more, all faults fail, KVM's reference goes. */
  *disable(thread: Thread, vepc: Vepc): Routine<void> {
    const instance = this.parts.instances.of(vepc.id);
    if (instance === undefined) return;
    yield* lockInstance(thread, instance);
    const wasDisabled = instance.isDisabled;
    instance.isDisabled = true;
    instance.isDead = true;
    // A reclaimer that is about to write looks whether the instance is dead under the lock (V-36).
    if (!wasDisabled) yield* this.versions.free(thread, instance);
    vepc.lock.release(thread);
    if (wasDisabled) return;
    if (thread.spend(Cost.STEP) > thread.limit) yield instance.refs.writing;
    if (instance.refs.put(thread)) yield* this.releaser.finish(thread, instance);
  }

  /** The instance with its paging. */
  protected create(vepc: Vepc, vm: OversubVm): OversubInstance {
    const { components, oversub, instances } = this.parts;
    const { hardware, locks, objects, monitor } = components;
    const loadLeaf = new LoadLeaf(hardware);
    const instance = new OversubInstance({
      vepc,
      vm,
      firstHostPage: instances.reserve(vepc.pageCount),
      loadLeaf,
      cpus: oversub.createCpuSet(),
      locks,
      objects,
      monitor,
    });
    const paging = oversub.createPaging({
      owner: vepc.id,
      pageCount: vepc.pageCount,
      hardware: loadLeaf,
      tracker: this.tracker(instance),
      isBeingWritten: (index) => instance.records.isInFlight(index),
      slots: this.versions.slotsFor(instance),
    });
    instance.connect(paging);
    return instance;
  }

  /** What begins tracking cycles for pages of the instance. */
  protected tracker(instance: OversubInstance): HostTracker {
    return new HostTracker(this.parts, instance);
  }
}
