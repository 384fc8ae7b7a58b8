import type { LeafResult, PageIndex, Routine, SgxHardware, Thread, Tracker } from '@epckit/interface';
import { Cost, Leaf } from '@epckit/interface';

class Etrack implements Tracker {
  readonly #hardware: Pick<SgxHardware, 'leafAt' | 'etrack'>;

  constructor(hardware: Pick<SgxHardware, 'leafAt' | 'etrack'>) {
    this.#hardware = hardware;
  }

  *track(thread: Thread, secs: PageIndex): Routine<LeafResult> {
    if (thread.spend(Cost.ETRACK) > thread.limit) {
      yield this.#hardware.leafAt(secs, thread.cpu, Leaf.ETRACK);
    }
    return this.#hardware.etrack(thread.cpu, secs);
  }
}

/** Makes the tracker of native owners: ETRACK on the SECS (SDM vol. 3D; Linux `__etrack`). */
export function createEtrack(hardware: Pick<SgxHardware, 'leafAt' | 'etrack'>): Tracker {
  return new Etrack(hardware);
}
