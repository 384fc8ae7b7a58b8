import type { LeafId, LeafResult, PagingBlob, Routine, SecsSource } from '@epckit/interface';
import { Access, isExit, Leaf, NONE, PageType, SecInfo, Walk } from '@epckit/interface';
import type { MachineThread } from '@epckit/machine';
import type { GuestConflict, VmPage } from '../../src/index.js';
import { CONFLICT_REENTER, VepcFaultResult } from '../../src/index.js';
import type { GuestStack } from './guest-stack.js';
import type { GuestVm } from './guest-vm.js';

/** Result of a guest's leaf that ended in SIGBUS for the VMM. */
const STOPPED = -7;

/** SECINFO of a page for data. */
export const REG = SecInfo.R | SecInfo.W | (PageType.REG << SecInfo.TYPE_SHIFT);
/** SECINFO of a page for a thread. */
export const TCS = PageType.TCS << SecInfo.TYPE_SHIFT;

/** First page of the range of enclave `number`, 16 pages long. */
export function sourceOf(number: number): SecsSource {
  return { basePage: 0x1000 + number * 16, pageCount: 16, attributes: 6, ssaFrameSize: 1 };
}

/** An empty blob. */
export function emptyBlob(): PagingBlob {
  return { contents: 0, secinfo: 0, enclaveId: 0, linearPage: 0, macLow: 0, macHigh: 0 };
}

/**
 * What a guest executes on its EPC: every operand that is not mapped is an EPT violation, after which the leaf is
 * repeated; conflicts are asked about.
 */
export class Guest {
  readonly stack: GuestStack;
  readonly vm: GuestVm;

  constructor(stack: GuestStack, vm = stack.vm) {
    this.stack = stack;
    this.vm = vm;
  }

  /** ECREATE. The processor stores the guest-physical address of the SECS, which the model leaves to us. */
  ecreate(thread: MachineThread, secs: VmPage, source: SecsSource): Routine<number> {
    const { hardware } = this.stack;
    return this.leaf(thread, Leaf.ECREATE, [secs], (page) => {
      const result = hardware.ecreate(thread.cpu, page, source);
      if (result === 0) hardware.esetcontext(thread.cpu, page, this.vm.addressOf(secs));
      return result;
    });
  }

  /** EADD. */
  eadd(
    thread: MachineThread,
    target: VmPage,
    secs: VmPage,
    linearPage: number,
    secinfo = REG,
    contents = 0,
  ): Routine<number> {
    return this.leaf(thread, Leaf.EADD, [target, secs], (page, owner) =>
      this.stack.hardware.eadd(thread.cpu, page, owner, linearPage, secinfo, contents),
    );
  }

  /** EINIT. */
  einit(thread: MachineThread, secs: VmPage): Routine<number> {
    return this.leaf(thread, Leaf.EINIT, [secs], (page) => this.stack.hardware.einit(thread.cpu, page, {}));
  }

  /** EREMOVE. */
  eremove(thread: MachineThread, target: VmPage): Routine<number> {
    return this.leaf(thread, Leaf.EREMOVE, [target], (page) => this.stack.hardware.eremove(thread.cpu, page));
  }

  /** EPA. */
  epa(thread: MachineThread, target: VmPage): Routine<number> {
    return this.leaf(thread, Leaf.EPA, [target], (page) => this.stack.hardware.epa(thread.cpu, page));
  }

  /** EBLOCK. */
  eblock(thread: MachineThread, target: VmPage): Routine<number> {
    return this.leaf(thread, Leaf.EBLOCK, [target], (page) => this.stack.hardware.eblock(thread.cpu, page));
  }

  /** ETRACK. */
  etrack(thread: MachineThread, secs: VmPage): Routine<number> {
    return this.leaf(thread, Leaf.ETRACK, [secs], (page) => this.stack.hardware.etrack(thread.cpu, page));
  }

  /** EWB. */
  ewb(thread: MachineThread, target: VmPage, va: VmPage, slot: number, blob: PagingBlob): Routine<number> {
    return this.leaf(thread, Leaf.EWB, [target, va], (page, array) =>
      this.stack.hardware.ewb(thread.cpu, page, array, slot, blob),
    );
  }

  /** ELDU, or ELDB: the page arrives blocked. */
  eld(
    thread: MachineThread,
    target: VmPage,
    secs: VmPage | null,
    va: VmPage,
    slot: number,
    blob: PagingBlob,
    isBlocked = false,
  ): Routine<number> {
    const { hardware } = this.stack;
    const operands = secs === null ? [target, va] : [target, va, secs];
    return this.leaf(thread, isBlocked ? Leaf.ELDB : Leaf.ELDU, operands, (page, array, owner) => {
      const load = isBlocked ? hardware.eldb : hardware.eldu;
      const result = load.call(hardware, thread.cpu, page, owner, array, slot, blob);
      const isSecs = result === 0 && hardware.entry(page).type === PageType.SECS;
      if (isSecs) hardware.esetcontext(thread.cpu, page, this.vm.addressOf(target));
      return result;
    });
  }

  /** EENTER through a TCS at `linearPage`. */
  eenter(thread: MachineThread, tcs: VmPage, linearPage: number): Routine<number> {
    return this.leaf(thread, Leaf.EENTER, [tcs], (page) =>
      this.stack.hardware.eenter(thread.cpu, page, linearPage),
    );
  }

  /** What enclave code would find at a page: outcome of the EPCM check, contents. */
  *read(thread: MachineThread, target: VmPage, secs: VmPage, linearPage: number): Routine<string> {
    const { hardware } = this.stack;
    let seen = '';
    const result = yield* this.leaf(thread, Leaf.EDBGRD, [target, secs], (page, owner) => {
      const { valid, type, flags, blocked, contents } = hardware.entry(page);
      const check = hardware.check(owner, page, linearPage, Access.READ);
      seen = valid
        ? `${check}: ${type} ${flags} ${blocked} ${type === PageType.REG ? contents : ''}`
        : 'unused';
      return 0;
    });
    return result === 0 ? seen : `${result}`;
  }

  /** One leaf, repeated until all operands are mapped and nobody else is in its way. */
  *leaf(
    thread: MachineThread,
    leaf: LeafId,
    operands: readonly VmPage[],
    execute: (page: number, second: number, third: number) => LeafResult,
  ): Routine<number> {
    const { hardware, oversub } = this.stack;
    const { mm } = this.vm;
    for (;;) {
      const before = operands.map((place) => this.reach(place));
      const missing = operands[before.indexOf(NONE)];
      if (missing !== undefined) {
        const result = yield* oversub.violation(thread, mm, missing.vepc, missing.page);
        if (result !== VepcFaultResult.NOPAGE) return STOPPED;
        continue;
      }
      yield hardware.leafAt(before[0] as number, thread.cpu, leaf, before[1]);
      const [page = NONE, second = NONE, third = NONE] = operands.map((place) => this.reach(place));
      if ([page, second, third].slice(0, operands.length).includes(NONE)) continue;
      hardware.setExtended(thread.cpu, true);
      const result = execute(page, second, third);
      hardware.setExtended(thread.cpu, false);
      if (!isExit(result)) return result;
      const told = yield* this.conflict(thread, leaf, result, operands[0] as VmPage);
      if (told !== CONFLICT_REENTER) return told;
    }
  }

  /** EPC page behind a place, or `-1`: no entry leads to it. Sets the accessed bit. */
  reach({ vepc, page }: VmPage): number {
    return this.vm.mm.walk(vepc.id, page, Access.WRITE) === Walk.HIT ? vepc.pages.get(page) : NONE;
  }

  *conflict(thread: MachineThread, leaf: LeafId, exit: LeafResult, operand: VmPage): Routine<number> {
    const { oversub, hardware } = this.stack;
    const page = operand.vepc.pages.get(operand.page);
    const isSecs = page !== NONE && hardware.isValid(page) && hardware.entry(page).type === PageType.SECS;
    const conflict: GuestConflict = {
      exit,
      leaf,
      operand,
      context: isSecs ? hardware.enclaveContext(page) : 0,
    };
    return yield* oversub.conflicts.handle(thread, this.vm, conflict);
  }
}
