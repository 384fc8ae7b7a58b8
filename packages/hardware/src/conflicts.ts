import type { LeafId, LeafResult } from '@epckit/interface';
import { ConflictExit, Leaf, LeafFault, SgxCode } from '@epckit/interface';

/** What a running leaf holds on a page, one bit each. */
export const Hold = {
  /** base access, shared */
  SHARED: 1,
  /** base access, exclusive */
  EXCLUSIVE: 2,
  /** family B of a SECS: EADD, EEXTEND, EINIT */
  MEASURE: 4,
  /** family C of a SECS: ETRACK, ETRACKC */
  TRACK: 8,
  /** family C of a SECS as EWB uses it: write-backs tolerate each other, not an ETRACK */
  WRITE_BACK: 16,
  /** child counter of a SECS: EREMOVE of a child */
  REMOVE: 32,
  /** family A of a page: EACCEPT, EACCEPTCOPY, EMODPE, EMODPR, EMODT */
  MODIFY: 64,
  /** the whole platform: EUPDATESVN */
  UPDATE: 128,
} as const;

/** Which operand a row of the table is about. */
export const Operand = {
  /** main operand: RCX, for entries the TCS */
  PAGE: 0,
  /** SECS given as an operand */
  SECS: 1,
  /** VA page */
  VA: 2,
  /** SECS that owns the main operand, if that is a valid child page */
  OWNER: 3,
  /** as OWNER, but a SECS is its own */
  ENCLAVE: 4,
} as const;

/** What must hold before the leaf reaches a row at all; otherwise it has ended at an earlier row. */
export const Reached = {
  /** nothing: the row is the first of its leaf, or follows another lock row */
  ALWAYS: 0,
  /** the main operand is a free page */
  PAGE_FREE: 1,
  /** the main operand is a valid SECS */
  PAGE_SECS: 2,
  /** the main operand is a valid child of the SECS operand, and not on its way out */
  PAGE_OWNED: 4,
  /** the SECS operand is a valid SECS */
  SECS_VALID: 8,
  /** the VA operand is a valid VA page */
  VA_VALID: 16,
  /** the main operand is valid */
  PAGE_VALID: 32,
  /** the main operand is a valid child, not blocked, of the enclave that the logical processor is in */
  PAGE_ENTERED: 64,
  /** the main operand is a REG page that waits for no acceptance after EAUG or EMODT */
  PAGE_SETTLED: 128,
  /** the main operand is a REG page that waits for its acceptance after EAUG */
  PAGE_NEW: 256,
} as const;

/** One row of the concurrency table. */
export interface ConflictRow {
  /** Leaf that the row belongs to. */
  readonly leaf: LeafId;
  /** {@link Operand}. */
  readonly operand: number;
  /** {@link Hold} taken by the leaf, `0` if it only looks. */
  readonly holds: number;
  /** {@link Hold} bits of another logical processor that refuse the leaf. */
  readonly refusedBy: number;
  /** Outcome of the refused leaf. */
  readonly result: LeafResult;
  /** Outcome in a guest with EPC virtualization extensions; the same as {@link result} where no exit is due. */
  readonly guestResult: LeafResult;
  /** Bits of {@link Reached}. */
  readonly reached: number;
}

const { SHARED, EXCLUSIVE, MEASURE, TRACK, WRITE_BACK, REMOVE, MODIFY, UPDATE } = Hold;
const { PAGE, SECS, VA, OWNER, ENCLAVE } = Operand;
const {
  ALWAYS,
  PAGE_FREE,
  PAGE_SECS,
  PAGE_OWNED,
  SECS_VALID,
  VA_VALID,
  PAGE_VALID,
  PAGE_ENTERED,
  PAGE_SETTLED,
  PAGE_NEW,
} = Reached;
const { GP } = LeafFault;
const CONFLICT = SgxCode.EPC_PAGE_CONFLICT;

function row(
  leaf: LeafId,
  operand: number,
  holds: number,
  refusedBy: number,
  result: LeafResult,
  reached: number = ALWAYS,
  guestResult: LeafResult = result,
): ConflictRow {
  return Object.freeze({ leaf, operand, holds, refusedBy, result, guestResult, reached });
}
/** Exclusive base access of a page that the leaf fills; EUPDATESVN keeps everybody from filling pages. */
function filled(leaf: LeafId, result: LeafResult = GP): ConflictRow {
  return row(leaf, PAGE, EXCLUSIVE, SHARED | EXCLUSIVE | UPDATE, result, ALWAYS, exitFor(result));
}
function exclusive(leaf: LeafId, result: LeafResult): ConflictRow {
  return row(leaf, PAGE, EXCLUSIVE, SHARED | EXCLUSIVE, result, ALWAYS, exitFor(result));
}
function exitFor(result: LeafResult): LeafResult {
  return result === GP ? ConflictExit.EPC_PAGE_EXCEPTION : ConflictExit.EPC_PAGE_ERROR;
}
function shared(leaf: LeafId, operand: number, result: LeafResult, reached: number = ALWAYS): ConflictRow {
  return row(leaf, operand, SHARED, EXCLUSIVE, result, reached);
}
function modify(leaf: LeafId, result: LeafResult, reached: number): ConflictRow {
  return row(leaf, PAGE, MODIFY, MODIFY, result, reached);
}
function track(leaf: LeafId, operand: number, result: LeafResult): ConflictRow {
  const exit = ConflictExit.TRACKING_RESOURCE;
  return row(leaf, operand, TRACK, TRACK | WRITE_BACK, result, ALWAYS, exit);
}

/** Rows by name, for the leaves; the name is the leaf and what the row is about. */
export const ConflictRows = {
  ECREATE_TARGET: filled(Leaf.ECREATE),
  EADD_TARGET: filled(Leaf.EADD),
  EADD_SECS: shared(Leaf.EADD, SECS, GP, PAGE_FREE),
  EADD_MEASURE: row(Leaf.EADD, SECS, MEASURE, MEASURE, GP, PAGE_FREE | SECS_VALID),
  EAUG_TARGET: filled(Leaf.EAUG),
  EAUG_SECS: shared(Leaf.EAUG, SECS, GP, PAGE_FREE),
  EPA_TARGET: filled(Leaf.EPA),
  EBLOCK_TARGET: shared(Leaf.EBLOCK, PAGE, CONFLICT),
  EBLOCK_OWNER: row(Leaf.EBLOCK, OWNER, 0, TRACK, SgxCode.ENTRYEPOCH_LOCKED),
  EEXTEND_TARGET: shared(Leaf.EEXTEND, PAGE, GP),
  EEXTEND_MEASURE: row(Leaf.EEXTEND, SECS, MEASURE, MEASURE, GP, PAGE_OWNED),
  EINIT_SECS: shared(Leaf.EINIT, PAGE, GP),
  EINIT_MEASURE: row(Leaf.EINIT, PAGE, MEASURE, MEASURE, GP, PAGE_SECS),
  EREMOVE_TARGET: exclusive(Leaf.EREMOVE, GP),
  EREMOVE_OWNER: row(Leaf.EREMOVE, OWNER, REMOVE, REMOVE, GP),
  EDBGRD_TARGET: shared(Leaf.EDBGRD, PAGE, GP),
  EDBGWR_TARGET: shared(Leaf.EDBGWR, PAGE, GP),
  ELDB_TARGET: filled(Leaf.ELDB),
  ELDB_VA: shared(Leaf.ELDB, VA, GP),
  ELDB_SECS: shared(Leaf.ELDB, SECS, GP, PAGE_FREE | VA_VALID),
  ELDU_TARGET: filled(Leaf.ELDU),
  ELDU_VA: shared(Leaf.ELDU, VA, GP),
  ELDU_SECS: shared(Leaf.ELDU, SECS, GP, PAGE_FREE | VA_VALID),
  ELDBC_TARGET: filled(Leaf.ELDBC, CONFLICT),
  ELDBC_VA: shared(Leaf.ELDBC, VA, CONFLICT),
  ELDBC_SECS: shared(Leaf.ELDBC, SECS, CONFLICT, PAGE_FREE | VA_VALID),
  ELDUC_TARGET: filled(Leaf.ELDUC, CONFLICT),
  ELDUC_VA: shared(Leaf.ELDUC, VA, CONFLICT),
  ELDUC_SECS: shared(Leaf.ELDUC, SECS, CONFLICT, PAGE_FREE | VA_VALID),
  EWB_SOURCE: exclusive(Leaf.EWB, GP),
  EWB_VA: shared(Leaf.EWB, VA, GP),
  EWB_OWNER: row(Leaf.EWB, OWNER, WRITE_BACK, TRACK, GP, VA_VALID),
  ETRACK_SECS: shared(Leaf.ETRACK, PAGE, GP),
  ETRACK_TRACK: track(Leaf.ETRACK, PAGE, GP),
  ETRACKC_TARGET: shared(Leaf.ETRACKC, PAGE, CONFLICT),
  ETRACKC_TRACK: track(Leaf.ETRACKC, ENCLAVE, CONFLICT),
  EMODPR_TARGET: shared(Leaf.EMODPR, PAGE, GP),
  EMODPR_MODIFY: modify(Leaf.EMODPR, CONFLICT, PAGE_VALID),
  EMODT_TARGET: exclusive(Leaf.EMODT, CONFLICT),
  EMODT_MODIFY: modify(Leaf.EMODT, CONFLICT, PAGE_VALID),
  ERDINFO_TARGET: shared(Leaf.ERDINFO, PAGE, CONFLICT),
  EUPDATESVN_PLATFORM: row(Leaf.EUPDATESVN, PAGE, UPDATE, 0xff, CONFLICT),
  EDECVIRTCHILD_TARGET: shared(Leaf.EDECVIRTCHILD, PAGE, CONFLICT),
  EINCVIRTCHILD_TARGET: shared(Leaf.EINCVIRTCHILD, PAGE, CONFLICT),
  ESETCONTEXT_SECS: shared(Leaf.ESETCONTEXT, PAGE, CONFLICT),
  EENTER_TCS: shared(Leaf.EENTER, PAGE, GP),
  EENTER_OWNER: row(Leaf.EENTER, OWNER, 0, REMOVE, GP),
  ERESUME_TCS: shared(Leaf.ERESUME, PAGE, GP),
  ERESUME_OWNER: row(Leaf.ERESUME, OWNER, 0, REMOVE, GP),
  EACCEPT_TARGET: shared(Leaf.EACCEPT, PAGE, GP, PAGE_ENTERED),
  EACCEPT_MODIFY: modify(Leaf.EACCEPT, GP, PAGE_ENTERED),
  EMODPE_MODIFY: modify(Leaf.EMODPE, GP, PAGE_ENTERED | PAGE_SETTLED),
  EACCEPTCOPY_MODIFY: modify(Leaf.EACCEPTCOPY, GP, PAGE_ENTERED | PAGE_NEW),
} as const;

/**
 * The concurrency table (SDM vol. 3D, concurrency restrictions of each leaf): rows of one leaf in the order in which
 * the leaf reaches them. [model] decisions where the SDM contradicts itself or is silent:
 *
 * - ETRACK against ETRACK faults with #GP (operation text), not code 7 (table);
 * - EWB against ETRACK or ETRACKC faults with #GP, and they conflict with it; two EWBs of one enclave do not;
 * - EBLOCK during an ETRACK gets code 15, ETRACK during an EBLOCK passes;
 * - EREMOVE of two children of one SECS, and an entry during an EREMOVE of its enclave, fault with #GP;
 * - EUPDATESVN wants the platform for itself, and a leaf that fills a page meanwhile gets what a page in use gives it.
 * - ETRACK takes the tracking resource of its operand before it knows that this is a SECS.
 */
export const conflictTable: Readonly<Record<string, ConflictRow>> = Object.freeze({ ...ConflictRows });

const rowsByLeaf = new Map<LeafId, ConflictRow[]>();
for (const entry of Object.values(ConflictRows)) {
  const known = rowsByLeaf.get(entry.leaf);
  if (known === undefined) rowsByLeaf.set(entry.leaf, [entry]);
  else known.push(entry);
}
const NO_ROWS: readonly ConflictRow[] = [];

/** Rows of one leaf in their order; empty for a leaf that conflicts with nothing (EEXIT, AEX). */
export function conflictRowsOf(leaf: LeafId): readonly ConflictRow[] {
  return rowsByLeaf.get(leaf) ?? NO_ROWS;
}
