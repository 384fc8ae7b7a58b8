import type { HardwareModel } from '@epckit/hardware';
import type { LeafId } from '@epckit/interface';
import { ConflictExit, Leaf, LeafFault, PageType, SecInfo, SgxCode } from '@epckit/interface';
import type { Operands } from './arena.js';

/**
 * The concurrency table once more, transcribed from the SDM's tables and leaf flows and not from `src/conflicts.ts`:
 * what a leaf locks, in the order of its flow, and what it must have seen before it gets there.
 */

/** What a lock is about: base access of a page, or one of the families. */
type Family = 'base' | 'A' | 'B' | 'C' | 'children' | 'platform';
type Mode = 'shared' | 'exclusive' | 'look';

/** One lock row. */
export interface Rule {
  readonly family: Family;
  readonly mode: Mode;
  /** Page that the lock belongs to; -1 for the platform. */
  readonly of: (view: View, operands: Operands) => number;
  /** Outcome when it is not free. */
  readonly busy: number;
  /** The same in a guest with EPC virtualization extensions. */
  readonly busyInGuest: number;
  /** Rows of the flow before this one: false if the leaf ends there. */
  readonly reached: (view: View, operands: Operands, secsOfCpu: number) => boolean;
}

/** The EPCM as the rules see it. */
export interface View {
  readonly kindOf: (page: number) => 'outside' | 'free' | 'SECS' | 'VA' | 'child';
  readonly ownerOf: (page: number) => number;
  readonly is: (page: number, type: number) => boolean;
  readonly has: (page: number, flag: number) => boolean;
  readonly isBlocked: (page: number) => boolean;
}

/** Reads the EPCM of `hardware` once; it must not change while the view is used. */
export function viewOf(hardware: HardwareModel): View {
  const entries = Array.from({ length: hardware.pageCount }, (_, page) => hardware.entry(page));
  return {
    kindOf: (page) => {
      const entry = entries[page];
      if (entry === undefined) return 'outside';
      if (!entry.valid) return 'free';
      if (entry.type === PageType.SECS) return 'SECS';
      return entry.type === PageType.VA ? 'VA' : 'child';
    },
    ownerOf: (page) => entries[page]?.secs ?? -1,
    is: (page, type) => entries[page]?.valid === true && entries[page]?.type === type,
    has: (page, flag) => ((entries[page]?.flags ?? 0) & flag) !== 0,
    isBlocked: (page) => entries[page]?.blocked ?? false,
  };
}

const { GP } = LeafFault;
const CONFLICT = SgxCode.EPC_PAGE_CONFLICT;
const always = (): boolean => true;
const onPage: Rule['of'] = (_view, { page }) => page;
const onSecs: Rule['of'] = (_view, { secs }) => secs;
const onVa: Rule['of'] = (_view, { va }) => va;
const onOwner: Rule['of'] = (view, { page }) => view.ownerOf(page);

function rule(
  family: Family,
  mode: Mode,
  of: Rule['of'],
  busy: number,
  reached: Rule['reached'] = always,
  busyInGuest: number = busy,
): Rule {
  return { family, mode, of, busy, busyInGuest, reached };
}

type Reach = Rule['reached'];
const isEpc = (view: View, page: number): boolean => view.kindOf(page) !== 'outside';
const pageIsEpc: Reach = (view, { page }) => isEpc(view, page);
const pageAndSecsAreEpc: Reach = (view, { page, secs }) => isEpc(view, page) && isEpc(view, secs);
const pageAndVaAreEpc: Reach = (view, { page, va }) => isEpc(view, page) && isEpc(view, va);
const pageIsFree: Reach = (view, { page }) => view.kindOf(page) === 'free';
const pageIsValid: Reach = (view, { page }) => view.kindOf(page) !== 'free';
const pageIsChild: Reach = (view, { page }) => view.kindOf(page) === 'child';
const secsIsSecs: Reach = (view, { secs }) => view.kindOf(secs) === 'SECS';
const pageIsSecs: Reach = (view, { page }) => view.kindOf(page) === 'SECS';

/** Row of a leaf that wants a page for itself: code 7 or #GP natively, an exit in a guest. */
function alone(busy: number, reached: Reach): Rule {
  const exit = busy === GP ? ConflictExit.EPC_PAGE_EXCEPTION : ConflictExit.EPC_PAGE_ERROR;
  return rule('base', 'exclusive', onPage, busy, reached, exit);
}
function shared(busy: number, reached: Reach = pageIsEpc): Rule {
  return rule('base', 'shared', onPage, busy, reached);
}
/** EUPDATESVN keeps everybody from filling a page; for the leaf it is as if the page was in use. [model] */
function noUpdate({ busy, busyInGuest, reached }: Rule): Rule {
  return { ...rule('platform', 'look', () => -1, busy, reached), busyInGuest };
}
function filling(busy: number, reached: Reach): Rule[] {
  const target = alone(busy, reached);
  return [noUpdate(target), target];
}
/** 5.10 */
function load(busy: number): Rule[] {
  return [
    ...filling(busy, pageAndVaAreEpc),
    rule('base', 'shared', onVa, busy),
    rule(
      'base',
      'shared',
      onSecs,
      busy,
      (view, { page, secs, va }) =>
        view.kindOf(page) === 'free' && view.kindOf(va) === 'VA' && isEpc(view, secs),
    ),
  ];
}
const tracked = (busy: number, of: Rule['of'], reached: Reach): Rule =>
  rule('C', 'exclusive', of, busy, reached, ConflictExit.TRACKING_RESOURCE);
const enterable: Rule[] = [shared(GP), rule('children', 'look', onOwner, GP, pageIsChild)];
const counted: Rule[] = [shared(CONFLICT, pageAndSecsAreEpc)];

/** Valid child, not blocked, of the enclave that the processor is in. */
const pageIsOwn: Reach = (view, operands, secsOfCpu) =>
  pageIsChild(view, operands, secsOfCpu) &&
  !view.isBlocked(operands.page) &&
  view.ownerOf(operands.page) === secsOfCpu;
const isRegular = (view: View, page: number, pending: boolean): boolean =>
  view.is(page, PageType.REG) &&
  !view.has(page, SecInfo.MODIFIED) &&
  view.has(page, SecInfo.PENDING) === pending;

/** Lock rows of each leaf in the order of its flow. */
export const rules: ReadonlyMap<LeafId, readonly Rule[]> = new Map<LeafId, readonly Rule[]>([
  [Leaf.ECREATE, filling(GP, pageIsEpc)],
  [
    Leaf.EADD,
    [
      ...filling(GP, pageAndSecsAreEpc),
      rule('base', 'shared', onSecs, GP, pageIsFree),
      rule('B', 'exclusive', onSecs, GP, secsIsSecs),
    ],
  ],
  [Leaf.EAUG, [...filling(GP, pageAndSecsAreEpc), rule('base', 'shared', onSecs, GP, pageIsFree)]],
  [Leaf.EPA, filling(GP, pageIsEpc)],
  [Leaf.EBLOCK, [shared(CONFLICT), rule('C', 'look', onOwner, SgxCode.ENTRYEPOCH_LOCKED, pageIsChild)]],
  [
    Leaf.EEXTEND,
    [
      shared(GP, pageAndSecsAreEpc),
      rule(
        'B',
        'exclusive',
        onSecs,
        GP,
        (view, { page, secs }) => view.ownerOf(page) === secs && !view.is(page, PageType.TRIM),
      ),
    ],
  ],
  [Leaf.EINIT, [shared(GP), rule('B', 'exclusive', onPage, GP, pageIsSecs)]],
  [Leaf.EREMOVE, [alone(GP, pageIsEpc), rule('children', 'exclusive', onOwner, GP, pageIsChild)]],
  [Leaf.EDBGRD, [shared(GP)]],
  [Leaf.EDBGWR, [shared(GP)]],
  [Leaf.ELDB, load(GP)],
  [Leaf.ELDU, load(GP)],
  [Leaf.ELDBC, load(CONFLICT)],
  [Leaf.ELDUC, load(CONFLICT)],
  [
    Leaf.EWB,
    [
      alone(
        GP,
        (view, operands, cpu) => pageAndVaAreEpc(view, operands, cpu) && operands.page !== operands.va,
      ),
      rule('base', 'shared', onVa, GP),
      rule(
        'C',
        'shared',
        onOwner,
        GP,
        (view, { page, va }) => view.kindOf(page) === 'child' && view.kindOf(va) === 'VA',
      ),
    ],
  ],
  [Leaf.ETRACK, [shared(GP), tracked(GP, onPage, always)]],
  [
    Leaf.ETRACKC,
    [
      shared(CONFLICT),
      tracked(
        CONFLICT,
        (view, { page }) => (view.kindOf(page) === 'SECS' ? page : view.ownerOf(page)),
        (view, operands, cpu) => pageIsSecs(view, operands, cpu) || pageIsChild(view, operands, cpu),
      ),
    ],
  ],
  [Leaf.EMODPR, [shared(GP), rule('A', 'exclusive', onPage, CONFLICT, pageIsValid)]],
  [Leaf.EMODT, [alone(CONFLICT, pageIsEpc), rule('A', 'exclusive', onPage, CONFLICT, pageIsValid)]],
  [Leaf.ERDINFO, [shared(CONFLICT)]],
  [Leaf.EUPDATESVN, [rule('platform', 'exclusive', () => -1, CONFLICT)]],
  [Leaf.EDECVIRTCHILD, counted],
  [Leaf.EINCVIRTCHILD, counted],
  [Leaf.ESETCONTEXT, [shared(CONFLICT)]],
  [Leaf.EENTER, enterable],
  [Leaf.ERESUME, enterable],
  [Leaf.EACCEPT, [shared(GP, pageIsOwn), rule('A', 'exclusive', onPage, GP)]],
  [
    Leaf.EMODPE,
    [
      rule(
        'A',
        'exclusive',
        onPage,
        GP,
        (view, operands, cpu) => pageIsOwn(view, operands, cpu) && isRegular(view, operands.page, false),
      ),
    ],
  ],
  [
    Leaf.EACCEPTCOPY,
    [
      rule(
        'A',
        'exclusive',
        onPage,
        GP,
        (view, operands, cpu) => pageIsOwn(view, operands, cpu) && isRegular(view, operands.page, true),
      ),
    ],
  ],
  [Leaf.EEXIT, []],
  [Leaf.AEX, []],
  [Leaf.EDECCSSA, []],
]);

/** A lock that a running leaf has. */
export interface Held {
  readonly family: Family;
  readonly mode: Mode;
  readonly page: number;
}

/** What a leaf ends up with while others hold `others`: locks and outcome 0, or no lock and the outcome. */
export function judge(
  view: View,
  operands: Operands,
  secsOfCpu: number,
  others: readonly Held[],
  inGuest: boolean,
): { readonly held: readonly Held[]; readonly result: number } {
  const held: Held[] = [];
  for (const row of rules.get(operands.leaf) ?? []) {
    if (!row.reached(view, operands, secsOfCpu)) return { held, result: 0 };
    const page = row.of(view, operands);
    const want: Held = { family: row.family, mode: row.mode, page };
    if (others.some((other) => excludes(other, want))) {
      return { held: [], result: inGuest ? row.busyInGuest : row.busy };
    }
    if (row.mode !== 'look') held.push(want);
  }
  return { held, result: 0 };
}

function excludes(other: Held, want: Held): boolean {
  // EUPDATESVN wants nobody to run at all.
  if (want.family === 'platform' && want.mode === 'exclusive') return true;
  if (other.family !== want.family || other.page !== want.page) return false;
  // EBLOCK and entries only look, and mind exclusive use only.
  return other.mode === 'exclusive' || want.mode === 'exclusive';
}
