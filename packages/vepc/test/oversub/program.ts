import type { PagingBlob, Routine } from '@epckit/interface';
import { OwnerKind, PageType } from '@epckit/interface';
import type { MachineThread } from '@epckit/machine';
import fc from 'fast-check';
import type { Vepc, VmPage } from '../../src/index.js';
import { emptyBlob, Guest, REG, sourceOf, TCS } from './guest.js';
import type { GuestStackOptions } from './guest-stack.js';
import { GuestStack } from './guest-stack.js';

/** Pages of each of the two sections that random steps use. */
export const RANGE = 5;

/** Section and page. */
export interface Cell {
  readonly section: number;
  readonly page: number;
}

/** One thing that a guest does, with places and numbers that do not depend on results. */
export type Step =
  | { readonly do: 'ecreate'; readonly at: Cell; readonly number: number }
  | {
      readonly do: 'eadd';
      readonly at: Cell;
      readonly secs: Cell;
      readonly number: number;
      readonly linear: number;
      readonly isTcs: boolean;
    }
  | { readonly do: 'einit'; readonly at: Cell }
  | { readonly do: 'eremove'; readonly at: Cell }
  | { readonly do: 'epa'; readonly at: Cell }
  | { readonly do: 'eblock'; readonly at: Cell }
  | { readonly do: 'etrack'; readonly at: Cell }
  | { readonly do: 'pageOut'; readonly at: Cell; readonly va: Cell; readonly slot: number }
  | {
      readonly do: 'load';
      readonly at: Cell;
      readonly secs: Cell | null;
      readonly va: Cell;
      readonly slot: number;
      readonly isBlocked: boolean;
    }
  | { readonly do: 'enter'; readonly at: Cell; readonly linear: number }
  | { readonly do: 'read'; readonly at: Cell; readonly secs: Cell; readonly linear: number };

const cell = fc.record({ section: fc.nat(1), page: fc.nat(RANGE - 1) });
// Mostly the same few places for SECS and VA pages, so that leaves succeed.
const secs = fc.oneof(
  { weight: 6, arbitrary: fc.constant({ section: 0, page: 0 }) },
  { weight: 1, arbitrary: cell },
);
const va = fc.oneof(
  { weight: 6, arbitrary: fc.constant({ section: 1, page: 0 }) },
  { weight: 1, arbitrary: cell },
);
const slot = fc.nat(2);
const linear = fc.nat(2);
const number = fc.constantFrom(0, 0, 0, 1);

/** Random step of a guest; leaves succeed often and fail in every way. */
export const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant('ecreate' as const), at: secs, number }) },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('eadd' as const),
      at: cell,
      secs,
      number,
      linear,
      isTcs: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('einit' as const), at: secs }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('eremove' as const), at: fc.oneof(cell, secs) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('epa' as const), at: va }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('eblock' as const), at: cell }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('etrack' as const), at: secs }) },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('pageOut' as const), at: fc.oneof(cell, cell, secs), va, slot }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('load' as const),
      at: fc.oneof(cell, cell, secs),
      secs: fc.option(secs, { freq: 3 }),
      va,
      slot,
      isBlocked: fc.boolean(),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('enter' as const), at: cell, linear }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('read' as const), at: cell, secs, linear }) },
);

const SECS: Cell = { section: 0, page: 0 };

/** A guest makes an enclave over both sections: SECS and thread in one, the rest and its VA page in the other. */
export const building: readonly Step[] = [
  { do: 'epa', at: { section: 1, page: 0 } },
  { do: 'ecreate', at: SECS, number: 0 },
  { do: 'eadd', at: { section: 0, page: 1 }, secs: SECS, number: 0, linear: 0, isTcs: true },
  { do: 'eadd', at: { section: 1, page: 1 }, secs: SECS, number: 0, linear: 1, isTcs: false },
  { do: 'eadd', at: { section: 1, page: 2 }, secs: SECS, number: 0, linear: 2, isTcs: false },
  { do: 'einit', at: SECS },
];

/** A guest with two EPC sections that makes {@link Step}s and writes down what it sees. */
export class Program {
  readonly stack: GuestStack;
  readonly guest: Guest;
  readonly sections: readonly [Vepc, Vepc];
  /** What the guest's own EWBs have left, by place of the version. */
  readonly #blobs = new Map<string, PagingBlob>();

  /** @param pageCount - pages of each section */
  constructor(options: GuestStackOptions = {}, pageCount = RANGE) {
    this.stack = new GuestStack(options);
    this.guest = new Guest(this.stack);
    this.sections = [this.stack.section(pageCount), this.stack.section(pageCount)];
  }

  /** Page of a cell. */
  at({ section, page }: Cell): VmPage {
    return { vepc: this.sections[section] as Vepc, page };
  }

  /** Makes one step. @returns what the guest sees */
  step(it: Step): string {
    return `${it.do} ${this.stack.run(this.run(this.stack.thread(), it))}`;
  }

  /** The routine of {@link step}. */
  *run(thread: MachineThread, it: Step): Routine<number | string> {
    const { guest } = this;
    const at = this.at(it.at);
    if (it.do === 'ecreate') return yield* guest.ecreate(thread, at, sourceOf(it.number));
    if (it.do === 'einit') return yield* guest.einit(thread, at);
    if (it.do === 'eremove') return yield* guest.eremove(thread, at);
    if (it.do === 'epa') return yield* guest.epa(thread, at);
    if (it.do === 'eblock') return yield* guest.eblock(thread, at);
    if (it.do === 'etrack') return yield* guest.etrack(thread, at);
    if (it.do === 'eadd') {
      const linearPage = sourceOf(it.number).basePage + it.linear;
      const contents = 100 * it.at.section + it.at.page + 1;
      return yield* guest.eadd(thread, at, this.at(it.secs), linearPage, it.isTcs ? TCS : REG, contents);
    }
    if (it.do === 'pageOut') return yield* this.#pageOut(thread, at, it);
    if (it.do === 'load') return yield* this.#load(thread, at, it);
    if (it.do === 'read') {
      return yield* guest.read(thread, at, this.at(it.secs), sourceOf(0).basePage + it.linear);
    }
    const entered = yield* guest.eenter(thread, at, sourceOf(0).basePage + it.linear);
    if (entered === 0) this.stack.hardware.eexit(thread.cpu);
    return entered;
  }

  /** EBLOCK, ETRACK of the enclave that the page belongs to, EWB: as a guest's driver does it. */
  *#pageOut(thread: MachineThread, at: VmPage, it: Step & { do: 'pageOut' }): Routine<string> {
    const { guest } = this;
    const blocked = yield* guest.eblock(thread, at);
    const owner = this.#secsOf(at);
    const tracked = owner === null ? 0 : yield* guest.etrack(thread, owner);
    const blob = emptyBlob();
    const written = yield* guest.ewb(thread, at, this.at(it.va), it.slot, blob);
    const isWritten = written === 0 || written === 12;
    if (isWritten) this.#blobs.set(`${it.va.section} ${it.va.page} ${it.slot}`, blob);
    const { secinfo, linearPage } = blob;
    return `${blocked} ${tracked} ${written} ${isWritten ? `${secinfo} ${linearPage}` : ''}`;
  }

  *#load(thread: MachineThread, at: VmPage, it: Step & { do: 'load' }): Routine<number> {
    const blob = this.#blobs.get(`${it.va.section} ${it.va.page} ${it.slot}`) ?? emptyBlob();
    const owner = it.secs === null ? null : this.at(it.secs);
    return yield* this.guest.eld(thread, at, owner, this.at(it.va), it.slot, blob, it.isBlocked);
  }

  /** Place of the SECS of a page, or null. The guest's driver knows it; here the processor is asked. */
  #secsOf({ vepc, page }: VmPage): VmPage | null {
    const { hardware, frames, driver } = this.stack;
    const epc = vepc.pages.get(page);
    if (epc < 0 || !hardware.isValid(epc)) return null;
    const { type, secs: owner } = hardware.entry(epc);
    if (type === PageType.SECS || type === PageType.VA || frames.kind(owner) !== OwnerKind.GUEST) return null;
    const instance = driver.instance(frames.owner(owner));
    return instance === undefined ? null : { vepc: instance, page: frames.record(owner) };
  }
}
