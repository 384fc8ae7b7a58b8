import type { AddressSpace, ErrnoResult, Routine, Thread } from '@epckit/interface';
import { Errno } from '@epckit/interface';
import type { VepcMapArgument } from '../map.js';
import { VepcMapper } from '../map.js';
import type { Vepc } from '../vepc.js';
import type { OversubInstance } from './instance.js';
import type { OversubParts } from './parts.js';
import { lockInstance } from './section.js';
import type { VersionKeeper } from './version-keeper.js';

/** mmap with host reclaim: one mapping ever, so that a page has one host address, and version arrays up front. */
export class OversubMapper extends VepcMapper {
  readonly #parts: OversubParts;
  readonly #versions: VersionKeeper;

  constructor(parts: OversubParts, versions: VersionKeeper) {
    super();
    this.#parts = parts;
    this.#versions = versions;
  }

  /** As {@link VepcMapper.map}. @returns also `-EEXIST`: a second mapping; `-EFAULT`: dead; `-ENOMEM`: no version arrays */
  override *map(
    thread: Thread,
    mm: AddressSpace,
    vepc: Vepc,
    argument: VepcMapArgument,
  ): Routine<ErrnoResult> {
    const instance = this.#parts.instances.of(vepc.id);
    if (instance === undefined || argument.isShared === false) {
      return yield* super.map(thread, mm, vepc, argument);
    }
    let error = yield* this.#claim(thread, instance);
    if (error !== 0) return error;
    error = yield* this.#versions.allocate(thread, instance);
    if (error === 0) return yield* super.map(thread, mm, vepc, argument);
    yield* lockInstance(thread, instance);
    instance.isMapped = false;
    vepc.lock.release(thread);
    return error;
  }

  *#claim(thread: Thread, instance: OversubInstance): Routine<ErrnoResult> {
    yield* lockInstance(thread, instance);
    const { isDead, isMapped } = instance;
    instance.isMapped = true;
    instance.vepc.lock.release(thread);
    if (isDead) return -Errno.EFAULT;
    return isMapped ? -Errno.EEXIST : 0;
  }
}
