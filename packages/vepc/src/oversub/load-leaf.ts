import type { CpuId, LeafId, LeafResult, Op, PageIndex, PagingBlob, SgxHardware } from '@epckit/interface';
import { Leaf, NONE, SgxCode } from '@epckit/interface';

/**
 * The hardware as the ladders see it: its ELDU is ELDBC for a page that the guest had blocked, ELDUC for others. Both
 * report a conflict as a code. One per instance, used under the instance's lock.
 */
export class LoadLeaf implements Pick<SgxHardware, 'leafAt' | 'ewb' | 'isUntracked' | 'eldu'> {
  /** Does the next page arrive blocked? */
  isBlocked = false;
  readonly #hardware: SgxHardware;

  constructor(hardware: SgxHardware) {
    this.#hardware = hardware;
  }

  leafAt(page: PageIndex, cpu?: CpuId, leaf?: LeafId, secs: PageIndex = NONE, vaPage: PageIndex = NONE): Op {
    const load = this.isBlocked ? Leaf.ELDBC : Leaf.ELDUC;
    return this.#hardware.leafAt(page, cpu, leaf === Leaf.ELDU ? load : leaf, secs, vaPage);
  }

  /** For the price of the next EWB; without an answer of the hardware it is that of a write. */
  isUntracked(page: PageIndex, alsoInside: boolean): boolean {
    return this.#hardware.isUntracked?.(page, alsoInside) ?? false;
  }

  /**
   * EWB. A slot whose page was dropped without a load still holds its version: overwriting it is what is wanted, and
   * the page has been written.
   */
  ewb(cpu: CpuId, page: PageIndex, vaPage: PageIndex, slot: number, blob: PagingBlob): LeafResult {
    const result = this.#hardware.ewb(cpu, page, vaPage, slot, blob);
    return result === SgxCode.VA_SLOT_OCCUPIED ? SgxCode.SUCCESS : result;
  }

  eldu(
    cpu: CpuId,
    target: PageIndex,
    secs: PageIndex,
    vaPage: PageIndex,
    slot: number,
    blob: Readonly<PagingBlob>,
  ): LeafResult {
    const { elduc, eldbc } = this.#hardware;
    const load = this.isBlocked ? eldbc : elduc;
    return load.call(this.#hardware, cpu, target, secs, vaPage, slot, blob);
  }
}
