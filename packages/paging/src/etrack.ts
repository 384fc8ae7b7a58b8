import type { LeafResult, PageIndex, Routine, SgxHardware, Thread, Tracker } from '@epckit/interface';
import { Cost, isExit, Leaf, servedByHost } from '@epckit/interface';

class Etrack implements Tracker {
  readonly #hardware: Pick<SgxHardware, 'leafAt' | 'etrack' | 'serve'>;

  constructor(hardware: Pick<SgxHardware, 'leafAt' | 'etrack' | 'serve'>) {
    this.#hardware = hardware;
  }

  *track(thread: Thread, secs: PageIndex): Routine<LeafResult> {
    if (thread.spend(Cost.ETRACK) > thread.limit) {
      yield this.#hardware.leafAt(secs, thread.cpu, Leaf.ETRACK);
    }
    let result: LeafResult;
    do result = this.#hardware.etrack(thread.cpu, secs);
    while (isExit(result) && (yield* servedByHost(this.#hardware, thread)));
    return result;
  }
}

/** Makes the tracker of native owners: ETRACK on the SECS (SDM vol. 3D; Linux `__etrack`). */
export function createEtrack(hardware: Pick<SgxHardware, 'leafAt' | 'etrack' | 'serve'>): Tracker {
  return new Etrack(hardware);
}
