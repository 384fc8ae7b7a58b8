import type { HardwareModel } from '@epckit/hardware';
import type {
  AccessKind,
  CpuId,
  DebugWord,
  EpcmCheckResult,
  EpcmEntry,
  InitToken,
  LeafId,
  LeafResult,
  ObjectRegistry,
  Op,
  PageIndex,
  PagingBlob,
  RdInfo,
  Routine,
  SecsSource,
  SgxHardware,
  SigStruct,
  Thread,
  TrackingState,
} from '@epckit/interface';
import {
  ENCLS_EXIT,
  EPT_EXIT,
  EpcmCheck,
  isExit,
  Leaf,
  LeafFault,
  MisuseError,
  Mode,
  NONE,
  op,
  PageOperand,
  PageType,
  SecInfo,
} from '@epckit/interface';
import type { GuestExit } from './exit.js';
import type { GuestEpc } from './guest-epc.js';

/** What the guest's view of the processor is made of. */
export interface GuestHardwareParts {
  /** The processor. */
  readonly host: HardwareModel;
  /** Which host page a guest's EPC page is. */
  readonly epc: GuestEpc;
  /** Gives out object numbers. */
  readonly objects: ObjectRegistry;
  /** Name of the guest, for objects. */
  readonly name: string;
  /** "Enable EPC virtualization extensions": the host evicts pages of the guest. */
  readonly isExtended: boolean;
  /** Does the host intercept the leaf on a CPU (ENCLS-exiting bitmap)? */
  isIntercepted(cpu: CpuId, leaf: LeafId): boolean;
  /** Has the guest kernel been stopped? Its leaves never complete then. */
  isHalted(): boolean;
  /** Acts on an exit. @returns result that the guest gets for the leaf, or null: it is repeated */
  serve(thread: Thread, exit: GuestExit): Routine<LeafResult | null>;
}

/** Runs a leaf of the host on translated operands. */
type Execute = (page: PageIndex, secs: PageIndex, vaPage: PageIndex) => LeafResult;

/** What the host has answered for the leaf that comes next. */
interface Answer {
  readonly leaf: LeafId;
  readonly result: LeafResult;
}

/** Entry of a page that the host has not backed. */
const NO_ENTRY: EpcmEntry = Object.freeze({
  valid: false,
  type: PageType.SECS,
  flags: 0,
  blocked: false,
  secs: NONE,
  linearPage: 0,
  contents: 0,
});

/**
 * The processor as a guest sees it: leaves on the guest's own EPC page numbers. Each operand is translated by the
 * extended page table, and the leaf executes on the host's pages, atomically with the translation. What the guest
 * cannot do alone is answered with an exit, {@link serve} lets the host act, and the guest repeats the leaf.
 *
 * CPU numbers are those of the host: a virtual CPU is pinned to a CPU.
 */
export class GuestHardware implements SgxHardware {
  readonly pageCount: number;
  readonly #parts: GuestHardwareParts;
  /** Object of guest page 0, for pages that no host page stands for. */
  readonly #object: number;
  readonly #exits: (GuestExit | null)[];
  readonly #answers: (Answer | null)[];

  constructor(parts: GuestHardwareParts) {
    this.#parts = parts;
    this.pageCount = parts.epc.pageCount;
    this.#object = parts.objects.range(`EPC of ${parts.name}`, this.pageCount);
    this.#exits = Array.from({ length: parts.host.cpuCount }, () => null);
    this.#answers = Array.from({ length: parts.host.cpuCount }, () => null);
  }

  get changes(): number {
    return this.#parts.host.changes;
  }

  /** Notes an EPT violation that an access of user code has caused; {@link serve} comes next. */
  violate(cpu: CpuId, page: PageIndex): void {
    this.#exits[cpu] = this.#parts.isHalted() ? { kind: 'halted' } : { kind: 'ept', page };
  }

  *serve(thread: Thread): Routine<void> {
    const exit = this.#exits[thread.cpu];
    if (exit === null || exit === undefined) {
      throw new MisuseError(`No leaf of ${thread.name} has left the guest.`);
    }
    this.#exits[thread.cpu] = null;
    const result = yield* this.#parts.serve(thread, exit);
    if (result !== null) this.#answers[thread.cpu] = { leaf: leafOf(exit), result };
    // What the host did last took time: the leaf is repeated at a point of its own.
    else if ('page' in exit && thread.clock > thread.limit) yield this.leafAt(exit.page);
  }

  /**
   * A leaf that exits before it begins, because it is intercepted or an operand is not mapped, has nothing to announce to
   * other processors.
   */
  leafAt(page: PageIndex, cpu?: CpuId, leaf?: LeafId, secs: PageIndex = NONE, vaPage: PageIndex = NONE): Op {
    const { host, epc, isExtended } = this.#parts;
    const target = epc.has(page) ? epc.resident(page) : NONE;
    if (target === NONE) return op(this.#object + Math.min(Math.max(page, 0), this.pageCount - 1), Mode.LEAF);
    const isReachable = () => [page, secs, vaPage].every((operand) => this.#isReachable(operand));
    if (cpu === undefined || leaf === undefined || this.#parts.isIntercepted(cpu, leaf) || !isReachable()) {
      return host.leafAt(target);
    }
    if (isExtended) host.setExtended(cpu, true);
    const announced = host.leafAt(target, cpu, leaf, this.#resident(secs), this.#resident(vaPage));
    if (isExtended) host.setExtended(cpu, false);
    host.boundAnnouncement(cpu, isReachable);
    return announced;
  }
  acquire(cpu: CpuId, leaf: LeafId, page: PageIndex, secs: PageIndex, vaPage: PageIndex): LeafResult {
    const { host } = this.#parts;
    return this.#translated(cpu, leaf, page, secs, vaPage, (...pages) => host.acquire(cpu, leaf, ...pages));
  }
  complete(cpu: CpuId): void {
    this.#parts.host.complete(cpu);
  }

  ecreate(cpu: CpuId, target: PageIndex, source: SecsSource): LeafResult {
    const trap: GuestExit = { kind: 'ecreate', secs: target, source };
    return this.#encls(cpu, Leaf.ECREATE, target, NONE, NONE, trap, (page) => {
      return this.#remember(cpu, target, page, this.#parts.host.ecreate(cpu, page, source));
    });
  }
  eadd(
    cpu: CpuId,
    target: PageIndex,
    secs: PageIndex,
    linearPage: number,
    secinfo: number,
    contents: number,
  ): LeafResult {
    return this.#encls(cpu, Leaf.EADD, target, secs, NONE, null, (page, owner) => {
      return this.#parts.host.eadd(cpu, page, owner, linearPage, secinfo, contents);
    });
  }
  eextend(cpu: CpuId, page: PageIndex, secs: PageIndex, chunk: number): LeafResult {
    const { host } = this.#parts;
    return this.#encls(cpu, Leaf.EEXTEND, page, secs, NONE, null, (p, s) => host.eextend(cpu, p, s, chunk));
  }
  einit(cpu: CpuId, secs: PageIndex, signature: SigStruct, token?: InitToken): LeafResult {
    const { host } = this.#parts;
    const trap: GuestExit = { kind: 'einit', secs, signature, token };
    return this.#encls(cpu, Leaf.EINIT, secs, NONE, NONE, trap, (p) => host.einit(cpu, p, signature, token));
  }
  eremove(cpu: CpuId, page: PageIndex): LeafResult {
    const { host } = this.#parts;
    return this.#encls(cpu, Leaf.EREMOVE, page, NONE, NONE, null, (p) => host.eremove(cpu, p));
  }
  epa(cpu: CpuId, target: PageIndex): LeafResult {
    const { host } = this.#parts;
    return this.#encls(cpu, Leaf.EPA, target, NONE, NONE, null, (p) => host.epa(cpu, p));
  }
  eblock(cpu: CpuId, page: PageIndex): LeafResult {
    const { host } = this.#parts;
    return this.#encls(cpu, Leaf.EBLOCK, page, NONE, NONE, null, (p) => host.eblock(cpu, p));
  }
  etrack(cpu: CpuId, secs: PageIndex): LeafResult {
    const { host } = this.#parts;
    return this.#encls(cpu, Leaf.ETRACK, secs, NONE, NONE, null, (p) => host.etrack(cpu, p));
  }
  ewb(cpu: CpuId, page: PageIndex, vaPage: PageIndex, slot: number, blob: PagingBlob): LeafResult {
    const { host } = this.#parts;
    return this.#encls(cpu, Leaf.EWB, page, NONE, vaPage, null, (p, _, v) => host.ewb(cpu, p, v, slot, blob));
  }
  eldu(
    cpu: CpuId,
    target: PageIndex,
    secs: PageIndex,
    vaPage: PageIndex,
    slot: number,
    blob: Readonly<PagingBlob>,
  ): LeafResult {
    return this.#encls(cpu, Leaf.ELDU, target, secs, vaPage, null, (page, owner, array) => {
      const result = this.#parts.host.eldu(cpu, page, owner, array, slot, blob);
      return isSecs(blob) ? this.#remember(cpu, target, page, result) : result;
    });
  }
  eldb(
    cpu: CpuId,
    target: PageIndex,
    secs: PageIndex,
    vaPage: PageIndex,
    slot: number,
    blob: Readonly<PagingBlob>,
  ): LeafResult {
    return this.#encls(cpu, Leaf.ELDB, target, secs, vaPage, null, (page, owner, array) => {
      const result = this.#parts.host.eldb(cpu, page, owner, array, slot, blob);
      return isSecs(blob) ? this.#remember(cpu, target, page, result) : result;
    });
  }
  eaug(cpu: CpuId, target: PageIndex, secs: PageIndex, linearPage: number, secinfo: number): LeafResult {
    return this.#encls(cpu, Leaf.EAUG, target, secs, NONE, null, (page, owner) => {
      return this.#parts.host.eaug(cpu, page, owner, linearPage, secinfo);
    });
  }
  emodpr(cpu: CpuId, page: PageIndex, secinfo: number): LeafResult {
    const { host } = this.#parts;
    return this.#encls(cpu, Leaf.EMODPR, page, NONE, NONE, null, (p) => host.emodpr(cpu, p, secinfo));
  }
  emodt(cpu: CpuId, page: PageIndex, secinfo: number): LeafResult {
    const { host } = this.#parts;
    return this.#encls(cpu, Leaf.EMODT, page, NONE, NONE, null, (p) => host.emodt(cpu, p, secinfo));
  }
  edbgrd(cpu: CpuId, page: PageIndex, offset: number, word: DebugWord): LeafResult {
    const { host } = this.#parts;
    return this.#encls(cpu, Leaf.EDBGRD, page, NONE, NONE, null, (p) => host.edbgrd(cpu, p, offset, word));
  }
  edbgwr(cpu: CpuId, page: PageIndex, offset: number, value: bigint): LeafResult {
    const { host } = this.#parts;
    return this.#encls(cpu, Leaf.EDBGWR, page, NONE, NONE, null, (p) => host.edbgwr(cpu, p, offset, value));
  }

  // Leaves of hosts are never enumerated to a guest: the bitmap intercepts ENCLS, ENCLV is undefined.
  eldbc(cpu: CpuId): LeafResult {
    return this.#unenumerated(cpu, Leaf.ELDBC);
  }
  elduc(cpu: CpuId): LeafResult {
    return this.#unenumerated(cpu, Leaf.ELDUC);
  }
  etrackc(cpu: CpuId): LeafResult {
    return this.#unenumerated(cpu, Leaf.ETRACKC);
  }
  erdinfo(cpu: CpuId, _page: PageIndex, _info: RdInfo): LeafResult {
    return this.#unenumerated(cpu, Leaf.ERDINFO);
  }
  eupdatesvn(cpu: CpuId): LeafResult {
    return this.#unenumerated(cpu, Leaf.EUPDATESVN);
  }
  eincvirtchild(): LeafResult {
    return LeafFault.UD;
  }
  edecvirtchild(): LeafResult {
    return LeafFault.UD;
  }
  esetcontext(): LeafResult {
    return LeafFault.UD;
  }

  eaccept(cpu: CpuId, page: PageIndex, linearPage: number, secinfo: number): LeafResult {
    const { host } = this.#parts;
    return this.#run(cpu, Leaf.EACCEPT, page, NONE, NONE, (p) => host.eaccept(cpu, p, linearPage, secinfo));
  }
  emodpe(cpu: CpuId, page: PageIndex, linearPage: number, secinfo: number): LeafResult {
    const { host } = this.#parts;
    return this.#run(cpu, Leaf.EMODPE, page, NONE, NONE, (p) => host.emodpe(cpu, p, linearPage, secinfo));
  }
  eacceptcopy(
    cpu: CpuId,
    page: PageIndex,
    linearPage: number,
    source: PageIndex,
    sourceLinearPage: number,
    secinfo: number,
  ): LeafResult {
    const { host } = this.#parts;
    return this.#run(cpu, Leaf.EACCEPTCOPY, page, source, NONE, (target, from) => {
      return host.eacceptcopy(cpu, target, linearPage, from, sourceLinearPage, secinfo);
    });
  }
  eenter(cpu: CpuId, tcs: PageIndex, linearPage: number): LeafResult {
    const { host } = this.#parts;
    return this.#run(cpu, Leaf.EENTER, tcs, NONE, NONE, (p) => host.eenter(cpu, p, linearPage));
  }
  eresume(cpu: CpuId, tcs: PageIndex, linearPage: number): LeafResult {
    const { host } = this.#parts;
    return this.#run(cpu, Leaf.ERESUME, tcs, NONE, NONE, (p) => host.eresume(cpu, p, linearPage));
  }
  edeccssa(cpu: CpuId): LeafResult {
    return this.#parts.host.edeccssa(cpu);
  }
  eexit(cpu: CpuId): LeafResult {
    return this.#parts.host.eexit(cpu);
  }
  aex(cpu: CpuId): boolean {
    return this.#parts.host.aex(cpu);
  }

  insideOf(cpu: CpuId): PageIndex {
    return this.#parts.epc.pageOf(this.#parts.host.insideOf(cpu));
  }
  check(secs: PageIndex, page: PageIndex, linearPage: number, kind: AccessKind): EpcmCheckResult {
    const { host, epc } = this.#parts;
    const target = epc.resident(page);
    if (target === NONE) return EpcmCheck.INVALID;
    return host.check(this.#resident(secs), target, linearPage, kind);
  }
  setContents(page: PageIndex, contents: number): void {
    this.#parts.host.setContents(this.#parts.epc.addressOf(page).vepc.pages.get(page), contents);
  }

  /** As the host has it; a page that the host has not backed, or has evicted, is not valid. */
  entry(page: PageIndex): EpcmEntry {
    const target = this.#parts.epc.resident(page);
    if (target === NONE) return NO_ENTRY;
    const entry = this.#parts.host.entry(target);
    return entry.secs === NONE ? entry : { ...entry, secs: this.#parts.epc.pageOf(entry.secs) };
  }
  isValid(page: PageIndex): boolean {
    const target = this.#parts.epc.resident(page);
    return target !== NONE && this.#parts.host.isValid(target);
  }
  isUntracked(page: PageIndex, alsoInside: boolean): boolean {
    const target = this.#parts.epc.resident(page);
    return target !== NONE && this.#parts.host.isUntracked?.(target, alsoInside) === true;
  }
  tracking(secs: PageIndex): TrackingState {
    return this.#parts.host.tracking(this.#parts.epc.resident(secs));
  }
  occupiedSlots(vaPage: PageIndex): number {
    const target = this.#parts.epc.resident(vaPage);
    return target === NONE ? 0 : this.#parts.host.occupiedSlots(target);
  }
  powerCycle(): void {
    throw new MisuseError('A guest has no power of its own.', [], {
      hint: 'Power is lost by the machine; a guest loses its EPC by migration or reset.',
    });
  }

  /** A leaf that CPUID does not tell a guest of. */
  #unenumerated(cpu: CpuId, leaf: LeafId): LeafResult {
    const answer = this.#takeAnswer(cpu, leaf);
    if (answer !== null) return answer;
    return this.#leave(cpu, { kind: 'encls', leaf }, ENCLS_EXIT);
  }

  #encls(
    cpu: CpuId,
    leaf: LeafId,
    page: PageIndex,
    secs: PageIndex,
    vaPage: PageIndex,
    trap: GuestExit | null,
    execute: Execute,
  ): LeafResult {
    const answer = this.#takeAnswer(cpu, leaf);
    if (answer !== null) return answer;
    if (!this.#parts.isHalted() && this.#parts.isIntercepted(cpu, leaf)) {
      return this.#leave(cpu, trap ?? { kind: 'encls', leaf }, ENCLS_EXIT);
    }
    return this.#translated(cpu, leaf, page, secs, vaPage, execute);
  }

  #run(
    cpu: CpuId,
    leaf: LeafId,
    page: PageIndex,
    secs: PageIndex,
    vaPage: PageIndex,
    execute: Execute,
  ): LeafResult {
    return this.#takeAnswer(cpu, leaf) ?? this.#translated(cpu, leaf, page, secs, vaPage, execute);
  }

  /** The leaf on the host's pages, or the exit of the first operand that is not mapped. */
  #translated(
    cpu: CpuId,
    leaf: LeafId,
    page: PageIndex,
    secs: PageIndex,
    vaPage: PageIndex,
    execute: Execute,
  ): LeafResult {
    const { host, isExtended } = this.#parts;
    if (this.#parts.isHalted()) return this.#leave(cpu, { kind: 'halted' }, EPT_EXIT);
    const p = this.#translate(page);
    if (p === NONE && page >= 0) return this.#leave(cpu, { kind: 'ept', page }, EPT_EXIT);
    const s = this.#translate(secs);
    if (s === NONE && secs >= 0) return this.#leave(cpu, { kind: 'ept', page: secs }, EPT_EXIT);
    const v = this.#translate(vaPage);
    if (v === NONE && vaPage >= 0) return this.#leave(cpu, { kind: 'ept', page: vaPage }, EPT_EXIT);
    if (isExtended) host.setExtended(cpu, true);
    const result = execute(p, s, v);
    if (isExtended) host.setExtended(cpu, false);
    return isExit(result) ? this.#leave(cpu, this.#conflict(leaf, page, p, result), result) : result;
  }

  /** Operand on the host: the page, `-1` if it is not mapped; what is no page of the guest stays what it is. */
  #translate(operand: PageIndex): PageIndex {
    if (operand < 0) return operand;
    return operand < this.pageCount ? this.#parts.epc.translate(operand) : PageOperand.OUTSIDE;
  }

  /** The CPU leaves the guest instead of executing the leaf: nobody meets the leaf any more. */
  #leave(cpu: CpuId, exit: GuestExit, result: LeafResult): LeafResult {
    this.#parts.host.withdraw(cpu);
    this.#exits[cpu] = exit;
    return result;
  }

  #conflict(leaf: LeafId, page: PageIndex, hostPage: PageIndex, result: LeafResult): GuestExit {
    const { host } = this.#parts;
    const isSecsPage = host.isValid(hostPage) && host.entry(hostPage).type === PageType.SECS;
    const context = isSecsPage ? host.enclaveContext(hostPage) : 0;
    return { kind: 'conflict', result, leaf, page, context };
  }

  /** A guest's ECREATE or load of a SECS leaves its own physical address in ENCLAVECONTEXT, not the host's. */
  #remember(cpu: CpuId, guestPage: PageIndex, page: PageIndex, result: LeafResult): LeafResult {
    if (result === 0 && this.#parts.isExtended) this.setContext(cpu, guestPage, page);
    return result;
  }

  /** Corrects ENCLAVECONTEXT of a SECS that the guest, or the host in its name, has just made. */
  setContext(cpu: CpuId, guestPage: PageIndex, page: PageIndex): void {
    this.#parts.host.esetcontext(cpu, page, this.#parts.epc.physical(guestPage));
  }

  #takeAnswer(cpu: CpuId, leaf: LeafId): LeafResult | null {
    const answer = this.#answers[cpu];
    if (answer === null || answer === undefined || answer.leaf !== leaf) return null;
    this.#answers[cpu] = null;
    return answer.result;
  }

  #resident(page: PageIndex): PageIndex {
    return this.#parts.epc.has(page) ? this.#parts.epc.resident(page) : page;
  }

  /** Can a leaf of the guest get at the operand? What is no EPC of the guest never makes it exit. */
  #isReachable(page: PageIndex): boolean {
    return !this.#parts.epc.has(page) || this.#parts.epc.isMapped(page);
  }
}

/** Is the page in the blob a SECS? */
function isSecs({ secinfo }: Readonly<PagingBlob>): boolean {
  return secinfo >> SecInfo.TYPE_SHIFT === PageType.SECS;
}

/** Leaf that an answered exit is about. */
function leafOf(exit: GuestExit): LeafId {
  if ('leaf' in exit) return exit.leaf;
  return exit.kind === 'einit' ? Leaf.EINIT : Leaf.ECREATE;
}
