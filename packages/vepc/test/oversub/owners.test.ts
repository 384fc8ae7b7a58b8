import type { Enclave, EnclaveDriver } from '@epckit/enclave';
import { checkEnclaves, FaultResult } from '@epckit/enclave';
import type { AddressSpace, PageOwner, Routine } from '@epckit/interface';
import { Access, Attribute, OwnerKind, PageType, Prot, Walk } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import { from2018, to2018 } from '../../src/index.js';
import type { Cell } from './program.js';
import { building, Program } from './program.js';

const SECS: Cell = { section: 0, page: 0 };
const PAGES = 16;
/** Fewer than the 6 pages of the guest, the 16 + 1 of the enclave, and 3 version arrays. */
const EPC_PAGES = 14;

/** A VM and a native enclave that share an EPC which is too small for both. */
class Both {
  readonly program: Program;
  readonly #mm: AddressSpace;
  readonly #driver: EnclaveDriver;
  readonly #enclave: Enclave;

  constructor(wrapping: { readonly wrap?: (owner: PageOwner) => PageOwner } = {}) {
    this.program = new Program({ epcPages: EPC_PAGES, native: true, ...wrapping });
    const { stack } = this.program;
    this.#mm = stack.process();
    this.#driver = stack.native as EnclaveDriver;
    for (const it of building) expect(this.program.step(it)).toMatch(/ 0$/);
    this.#enclave = this.#build();
  }

  /** The native enclave touches a page. */
  touch(page: number): void {
    const { stack } = this.program;
    for (let faults = 0; this.#mm.walk(this.#enclave.id, page, Access.WRITE) !== Walk.HIT; faults++) {
      const result = stack.run(this.#fault(page), 1);
      if (result === FaultResult.SIGBUS || faults > 50) throw new Error(`page ${page}: ${result}`);
      // The kernel reclaims on its way back to user mode.
      if (result === FaultResult.NOPAGE && this.#mm.table(this.#enclave.id)?.pte[page] === 0)
        stack.run(stack.reclaimer.batch(stack.thread(1)), 1);
    }
  }

  /** The guest reads a page of its enclave. */
  read(linear: number): string {
    return this.program.step({ do: 'read', at: { section: 1, page: linear }, secs: SECS, linear });
  }

  /** EPC pages of a kind of owner. */
  resident(kind: number): number {
    const { frames } = this.program.stack;
    return Array.from({ length: EPC_PAGES }, (_, page) => frames.kind(page)).filter((it) => it === kind)
      .length;
  }

  violations(): string[] {
    const { stack } = this.program;
    const native = checkEnclaves(this.#driver, stack.frames, stack.hardware);
    return [...stack.violations(), ...native.map(({ rule, message }) => `${rule} ${message}`)];
  }

  *#fault(page: number): Routine<number> {
    const thread = this.program.stack.thread(1);
    const [mm, enclave] = [this.#mm, this.#enclave];
    while (mm.lock.mustWaitRead(thread)) yield mm.lock.acquireRead;
    const vma = mm.table(enclave.id)?.vmaOf(page);
    if (vma === undefined) throw new Error('no mapping');
    const result = yield* this.#driver.faults.fault(thread, mm, vma, enclave, page);
    mm.lock.releaseRead(thread);
    return result;
  }

  #build(): Enclave {
    const { stack } = this.program;
    const driver = this.#driver;
    const thread = stack.thread(1);
    const enclave = driver.open();
    const attributes = Attribute.MODE64BIT;
    const range = { pageCount: PAGES, basePage: driver.chooseBasePage(PAGES), attributes };
    const pages = { page: 0, count: PAGES, type: PageType.REG, prot: Prot.R | Prot.W, isMeasured: false };
    const mapping = { start: 0, end: PAGES, prot: Prot.R | Prot.W };
    expect(stack.run(driver.create.run(thread, enclave, range), 1)).toBe(0);
    expect(stack.run(driver.addPages.run(thread, this.#mm, enclave, pages), 1)).toMatchObject({});
    expect(stack.run(driver.init.run(thread, enclave, {}), 1)).toBe(0);
    expect(stack.run(driver.mapper.map(thread, this.#mm, enclave, mapping), 1)).toBe(0);
    return enclave;
  }
}

/** Guest and enclave take turns over their working sets. */
function alternate(both: Both): void {
  const { NATIVE, GUEST } = OwnerKind;
  let [leastNative, leastGuest] = [EPC_PAGES, EPC_PAGES];
  for (let round = 0; round < 6; round++) {
    for (let page = 0; page < PAGES; page++) both.touch(page);
    leastGuest = Math.min(leastGuest, both.resident(GUEST));
    expect(both.violations()).toEqual([]);
    for (const linear of [1, 2]) expect(both.read(linear)).toBe(`read 0: 2 3 false 10${linear + 1}`);
    both.program.stack.run(both.program.stack.reclaimer.batch(both.program.stack.thread()));
    for (const linear of [1, 2]) expect(both.read(linear)).toBe(`read 0: 2 3 false 10${linear + 1}`);
    leastNative = Math.min(leastNative, both.resident(NATIVE));
    expect(both.violations()).toEqual([]);
  }
  // Each has had to go: the guest has kept its version arrays and little else, the enclave has shrunk too.
  expect(leastGuest).toBeLessThan(8);
  expect(leastNative).toBeLessThan(12);
}

describe('one reclaimer', () => {
  it('serves a native enclave and a VM on the same list', () => {
    alternate(new Both());
  });

  it('serves both behind the five operations of 2018', () => {
    alternate(new Both({ wrap: (owner) => from2018(owner.kind, to2018(owner)) }));
  });

  it('gives guest pages to an enclave that starts later', () => {
    const program = new Program({ epcPages: EPC_PAGES });
    for (const it of building) program.step(it);
    const { stack } = program;
    const thread = stack.thread(1);
    for (let i = 0; i < EPC_PAGES - 2; i++) {
      const page = stack.run(stack.allocator.alloc(thread, OwnerKind.FIRST_CUSTOM, 1, i, true), 1);
      expect(page).toBeGreaterThanOrEqual(0);
    }
    expect(program.sections.map(({ pages }) => pages.count)).toEqual([0, 0]);
    expect(stack.violations()).toEqual([]);
  });
});

describe('the contract of 2018', () => {
  const ops = (over: object) => ({
    getAt: () => 0,
    get: () => true,
    putAt: () => 0,
    put: () => false,
    *release() {},
    *reclaim() {
      return true;
    },
    *block() {},
    *write() {},
    ...over,
  });

  it('has two answers where there are three or four today', () => {
    const { stack } = new Program();
    const thread = stack.thread();
    const owner = from2018(
      OwnerKind.FIRST_CUSTOM,
      ops({
        get: () => false,
        *reclaim() {
          return false;
        },
      }) as never,
    );
    expect(owner.get(thread, 0)).toBe(1);
    expect(stack.run(owner.young(thread, 0))).toBe(false);
    expect(stack.run(owner.prepare(thread, 0))).toBe(1);
    expect(stack.run(owner.block(thread, 0))).toBe(0);
    expect(stack.run(owner.write(thread, 0))).toBe(0);
    expect(stack.run(owner.kill(thread, 0))).toBe(2);
  });

  it('lets a SECS with children stay only because reclaim blocks, too', () => {
    const program = new Program({ epcPages: 20 });
    for (const it of building) program.step(it);
    const { stack } = program;
    const page = program.at(SECS).vepc.pages.get(SECS.page);
    const { reclaim } = to2018(stack.oversub.owner);
    expect([1, 2].map(() => stack.run(reclaim(stack.thread(-1), page), -1))).toEqual([false, false]);
    expect(stack.violations()).toEqual([]);
  });

  it('has no word for a page that cannot be written', () => {
    const program = new Program();
    for (const it of building) program.step(it);
    const { stack } = program;
    const thread = stack.thread(-1);
    const page = program.at({ section: 1, page: 1 }).vepc.pages.get(1);
    const { reclaim, write } = to2018(stack.oversub.owner);
    while (!stack.run(reclaim(thread, page), -1));
    stack.run(stack.oversub.enabler.disable(stack.thread(), program.sections[1]));
    expect(() => stack.run(write(thread, page), -1)).toThrow(`EPC page ${page} was not written`);
  });
});
