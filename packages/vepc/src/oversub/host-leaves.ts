import type {
  CostKey,
  LeafId,
  LeafResult,
  PageIndex,
  RdInfo,
  Routine,
  SgxHardware,
  Thread,
} from '@epckit/interface';
import { Cost, Leaf, LeafFault, NONE, SgxCode } from '@epckit/interface';

/** How often a leaf that conflicts is tried before something else is. */
export const CONFLICT_TRIES = 10;

/** May the leaf succeed later, with nothing done but waiting: a guest's leaf or a guest's cycle is in its way? */
export function isTransient(result: LeafResult): boolean {
  return (
    result === SgxCode.EPC_PAGE_CONFLICT ||
    result === SgxCode.ENTRYEPOCH_LOCKED ||
    result === SgxCode.NOT_TRACKED ||
    result === SgxCode.PREV_TRK_INCMPL
  );
}

/** {@link isTransient} for EWB, which faults where other leaves have a code for a conflict. */
export function isTransientWrite(result: LeafResult): boolean {
  return result === LeafFault.GP || isTransient(result);
}

/** Leaves that a host executes on pages of a guest, each tried a bounded number of times while it conflicts. */
export class HostLeaves {
  /** Processor side of the EPC. */
  protected readonly hardware: SgxHardware;

  constructor(hardware: SgxHardware) {
    this.hardware = hardware;
  }

  /** ERDINFO. */
  erdinfo(thread: Thread, page: PageIndex, info: RdInfo): Routine<LeafResult> {
    const execute = () => this.hardware.erdinfo(thread.cpu, page, info);
    return this.repeat(thread, Cost.ERDINFO, Leaf.ERDINFO, page, NONE, execute);
  }

  /** EBLOCK. */
  eblock(thread: Thread, page: PageIndex): Routine<LeafResult> {
    const execute = () => this.hardware.eblock(thread.cpu, page);
    return this.repeat(thread, Cost.EBLOCK, Leaf.EBLOCK, page, NONE, execute);
  }

  /** EINCVIRTCHILD: one evicted child more. `page`: a child, or the SECS itself. */
  einc(thread: Thread, page: PageIndex, secs: PageIndex): Routine<LeafResult> {
    const execute = () => this.hardware.eincvirtchild(thread.cpu, page, secs);
    return this.repeat(thread, Cost.EINCVIRTCHILD, Leaf.EINCVIRTCHILD, page, secs, execute);
  }

  /** EDECVIRTCHILD: one evicted child less. `page`: a child, or the SECS itself. */
  edec(thread: Thread, page: PageIndex, secs: PageIndex): Routine<LeafResult> {
    const execute = () => this.hardware.edecvirtchild(thread.cpu, page, secs);
    return this.repeat(thread, Cost.EDECVIRTCHILD, Leaf.EDECVIRTCHILD, page, secs, execute);
  }

  /** ESETCONTEXT. */
  setContext(thread: Thread, secs: PageIndex, context: number): Routine<LeafResult> {
    const execute = () => this.hardware.esetcontext(thread.cpu, secs, context);
    return this.repeat(thread, Cost.ESETCONTEXT, Leaf.ESETCONTEXT, secs, NONE, execute);
  }

  /** ETRACKC for the enclave of `secs`. */
  etrackc(thread: Thread, secs: PageIndex): Routine<LeafResult> {
    const execute = () => this.hardware.etrackc(thread.cpu, secs);
    return this.repeat(thread, Cost.ETRACK, Leaf.ETRACKC, secs, NONE, execute);
  }

  /** One leaf, again while it conflicts with another one. */
  protected *repeat(
    thread: Thread,
    cost: CostKey,
    leaf: LeafId,
    page: PageIndex,
    secs: PageIndex,
    execute: () => LeafResult,
  ): Routine<LeafResult> {
    for (let tries = 1; ; tries++) {
      if (thread.spend(cost) > thread.limit) yield this.hardware.leafAt(page, thread.cpu, leaf, secs);
      const result = execute();
      if (result !== SgxCode.EPC_PAGE_CONFLICT || tries === CONFLICT_TRIES) return result;
    }
  }
}
