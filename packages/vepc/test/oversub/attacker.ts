import type { LeafId, LeafResult, PagingBlob, Routine } from '@epckit/interface';
import { Leaf, NONE, PageType, SecInfo } from '@epckit/interface';
import type { MachineThread } from '@epckit/machine';
import type { Vepc, VmPage } from '../../src/index.js';
import type { Chance } from './chance.js';
import { emptyBlob, Guest, REG, sourceOf, TCS } from './guest.js';
import type { GuestStack } from './guest-stack.js';
import type { GuestVm } from './guest-vm.js';

/** Pages of each EPC section of an attacker. */
const SECTION_PAGES = 5;
/** Turns that a virtual CPU may stay in its enclave if nobody throws it out. */
const STAY = 8;
const PREFERRED_TYPES = [PageType.REG, PageType.TCS, PageType.TRIM, PageType.SECS, PageType.VA];

/** What {@link Guest} calls when a page for a leaf is missing and the VM is dead. */
const STOPPED = -7;

/**
 * A guest that executes leaves by chance: on pages of every kind, with operands that do not fit, in states that no
 * kernel makes. Two of its virtual CPUs have favourites: hammering one SECS, and blocking everything.
 */
export class Attacker {
  /** Leaves that were executed. */
  operations = 0;
  /** Leaves that succeeded. */
  successes = 0;
  /** How often the VM was found dead. */
  stops = 0;
  readonly stack: GuestStack;
  readonly sections: readonly [Vepc, Vepc];
  readonly #guest: Guest;
  readonly #chance: Chance;
  readonly #blobs: PagingBlob[] = [emptyBlob()];

  constructor(stack: GuestStack, vm: GuestVm, chance: Chance) {
    this.stack = stack;
    this.#guest = new Guest(stack, vm);
    this.#chance = chance;
    this.sections = [stack.section(SECTION_PAGES, vm), stack.section(SECTION_PAGES, vm)];
  }

  /** So many leaves by chance. */
  *wild(thread: MachineThread, count: number): Routine<void> {
    for (let i = 0; i < count; i++) yield* this.#note(thread, this.#anyLeaf(thread));
  }

  /** The same few leaves on one SECS, again and again: what the host needs is always in use. */
  *hammer(thread: MachineThread, count: number): Routine<void> {
    const { sections } = this;
    const guest = this.#guest;
    const secs = { vepc: sections[0], page: 0 };
    for (let i = 0; i < count; i++) {
      const which = this.#chance.below(8);
      if (which === 0) yield* this.#note(thread, guest.eremove(thread, secs));
      else if (which < 3) yield* this.#note(thread, guest.ecreate(thread, secs, sourceOf(0)));
      else if (which < 6) yield* this.#note(thread, this.#add(thread, this.#place(), secs));
      else yield* this.#note(thread, guest.etrack(thread, secs));
    }
  }

  /** Blocks every page, enters, and makes cycles that do not end. */
  *block(thread: MachineThread, count: number): Routine<void> {
    const guest = this.#guest;
    for (let i = 0; i < count; i++) {
      const which = this.#chance.below(6);
      if (which === 0) yield* this.#note(thread, this.#stay(thread));
      else if (which === 1) yield* this.#note(thread, guest.etrack(thread, this.#secs()));
      else yield* this.#note(thread, guest.eblock(thread, this.#place()));
    }
  }

  *#note(thread: MachineThread, leaf: Routine<number>): Routine<void> {
    this.operations++;
    const result = yield* leaf;
    if (result === 0) this.successes++;
    if (result === STOPPED) this.stops++;
    this.stack.hardware.aex(thread.cpu);
  }

  /** A page of the guest. */
  #place(): VmPage {
    return { vepc: this.#chance.of(this.sections), page: this.#chance.below(SECTION_PAGES) };
  }

  /** Mostly a page that is a SECS. */
  #secs(): VmPage {
    const isUsual = this.#chance.below(6) > 0;
    return isUsual ? { vepc: this.sections[this.#chance.below(2) as 0 | 1], page: 0 } : this.#place();
  }

  /** Mostly a page that is a version array. */
  #va(): VmPage {
    return this.#chance.below(6) > 0 ? { vepc: this.sections[1], page: 1 } : this.#place();
  }

  #add(thread: MachineThread, target: VmPage, secs: VmPage): Routine<number> {
    const linear = sourceOf(this.#chance.below(2)).basePage + this.#chance.below(4);
    const secinfo = this.#chance.below(3) === 0 ? TCS : REG;
    return this.#guest.eadd(thread, target, secs, linear, secinfo, this.#chance.below(1000));
  }

  #anyLeaf(thread: MachineThread): Routine<number> {
    const guest = this.#guest;
    const [target, secs] = [this.#place(), this.#secs()];
    switch (this.#chance.below(14)) {
      case 0:
        return guest.ecreate(thread, secs, sourceOf(this.#chance.below(2)));
      case 1:
      case 2:
      case 3:
        return this.#add(thread, target, secs);
      case 4:
        return guest.einit(thread, secs);
      case 5:
        return guest.eremove(thread, this.#chance.below(2) === 0 ? target : secs);
      case 6:
        return guest.epa(thread, this.#va());
      case 7:
        return guest.eblock(thread, target);
      case 8:
        return guest.etrack(thread, secs);
      case 9:
        return this.#write(thread, this.#chance.below(4) === 0 ? secs : target);
      case 10:
      case 11:
        return this.#load(thread, target, this.#chance.below(3) === 0 ? null : secs);
      case 12:
        return this.#stay(thread);
      default:
        return this.#modify(thread, target, secs);
    }
  }

  /** EBLOCK, ETRACK and EWB, or only the last, which then fails or not as the processor finds. */
  *#write(thread: MachineThread, target: VmPage): Routine<number> {
    const guest = this.#guest;
    if (this.#chance.below(3) > 0) {
      yield* guest.eblock(thread, target);
      yield* guest.etrack(thread, this.#secs());
    }
    const blob = emptyBlob();
    const written = yield* guest.ewb(thread, target, this.#va(), this.#chance.below(3), blob);
    if (written === 0) this.#blobs.push(blob);
    return written;
  }

  /** ELDU or ELDB of something that was written once, or of nothing. */
  #load(thread: MachineThread, target: VmPage, secs: VmPage | null): Routine<number> {
    const chance = this.#chance;
    const blob = chance.of(this.#blobs);
    const isBlocked = chance.below(2) === 0;
    return this.#guest.eld(thread, target, secs, this.#va(), chance.below(3), blob, isBlocked);
  }

  /** EENTER, and stays inside while others go on, unless an interrupt comes. */
  *#stay(thread: MachineThread): Routine<number> {
    const { hardware } = this.stack;
    const tcs = this.#place();
    const linear = sourceOf(0).basePage + this.#chance.below(4);
    const entered = yield* this.#guest.eenter(thread, tcs, linear);
    for (let i = 0; i < STAY && hardware.insideOf(thread.cpu) !== NONE; i++) yield thread.signalReading;
    return entered;
  }

  /** Leaves of SGX2 and of debuggers. */
  #modify(thread: MachineThread, target: VmPage, secs: VmPage): Routine<number> {
    const { hardware } = this.stack;
    const chance = this.#chance;
    const { cpu } = thread;
    const secinfo = chance.below(8) | (chance.of(PREFERRED_TYPES) << SecInfo.TYPE_SHIFT);
    const linear = sourceOf(0).basePage + chance.below(4);
    const run = (leaf: LeafId, places: readonly VmPage[], execute: (...pages: number[]) => LeafResult) =>
      this.#guest.leaf(thread, leaf, places, execute);
    switch (chance.below(5)) {
      case 0:
        return run(Leaf.EAUG, [target, secs], (page = 0, owner = 0) =>
          hardware.eaug(cpu, page, owner, linear, 0),
        );
      case 1:
        return run(Leaf.EMODPR, [target], (page = 0) => hardware.emodpr(cpu, page, secinfo));
      case 2:
        return run(Leaf.EMODT, [target], (page = 0) => hardware.emodt(cpu, page, secinfo));
      case 3:
        return run(Leaf.EDBGRD, [target], (page = 0) => hardware.edbgrd(cpu, page, 0, { value: 0n }));
      default:
        return run(Leaf.EDBGWR, [target], (page = 0) => hardware.edbgwr(cpu, page, 0, 7n));
    }
  }
}
