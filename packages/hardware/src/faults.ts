import type { LeafResult, PageIndex } from '@epckit/interface';
import { LeafFault, PageOperand } from '@epckit/interface';
import type { SgxFeatures } from './features.js';

/** Which operand a leaf's page fault is about. */
export const FaultOperand = {
  /** main operand: RCX, for entries RBX */
  PAGE: 0,
  /** SECS operand */
  SECS: 1,
  /** version array slot */
  VA: 2,
  /** source of EACCEPTCOPY */
  SOURCE: 3,
  /** a page of the save state area that an entry looks at */
  SAVE_AREA: 4,
} as const;
/** Value of {@link FaultOperand}. */
export type FaultOperandId = (typeof FaultOperand)[keyof typeof FaultOperand];

/** Page faults of leaves: which vector they have on this processor, and what the last one was about. */
export class Faults {
  /** Operand of the last fault that {@link at} made. */
  operand: FaultOperandId = FaultOperand.PAGE;
  /** Linear page of the last fault about a save state area. */
  linearPage = 0;
  readonly #vector: LeafResult;

  /** Processors without SGX2 give #GP where others give #PF (Linux `vmx/sgx.c`). */
  constructor(features: SgxFeatures) {
    this.#vector = features.epcmFault === 'GP' ? LeafFault.GP : LeafFault.PF;
  }

  /** A page fault about an operand. */
  at(operand: FaultOperandId): LeafResult {
    this.operand = operand;
    return this.#vector;
  }
  /** An operand that does not resolve to an EPC page: #GP if its address is not aligned. */
  notEpc(operand: FaultOperandId, page: PageIndex): LeafResult {
    return isMisaligned(page) ? LeafFault.GP : this.at(operand);
  }
}

/** Is the operand an address that is not page-aligned? A fraction stands for one, too. [model] */
export function isMisaligned(page: PageIndex): boolean {
  return page === PageOperand.MISALIGNED || !Number.isInteger(page);
}
