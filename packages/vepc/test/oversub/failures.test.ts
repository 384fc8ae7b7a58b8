import type { LeafResult, SgxHardware } from '@epckit/interface';
import { Errno, LeafFault, SgxCode } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import { Eviction, GuestState, kvmOversub } from '../../src/index.js';
import type { Cell, Step } from './program.js';
import { building, Program } from './program.js';

const { EPC_PAGE_CONFLICT, MAC_COMPARE_FAIL, NOT_TRACKED, PREV_TRK_INCMPL, INVALID_COUNTER } = SgxCode;
const SECS: Cell = { section: 0, page: 0 };
const DATA: Cell = { section: 1, page: 1 };
const VERSIONS: Cell = { section: 1, page: 0 };
const readData: Step = { do: 'read', at: DATA, secs: SECS, linear: 1 };

type Leaf =
  | 'erdinfo'
  | 'eblock'
  | 'eincvirtchild'
  | 'edecvirtchild'
  | 'ewb'
  | 'etrackc'
  | 'elduc'
  | 'esetcontext';

/** A guest with one enclave, and leaves that give results of the test's choice as long as there are any. */
class Failing {
  readonly program: Program;
  /** Results to give instead of executing a leaf. */
  readonly #planned = new Map<Leaf, LeafResult[]>();

  constructor(recipes = {}) {
    this.program = new Program({ recipes, leaves: (real) => this.#leaves(real) });
    for (const it of building) this.program.step(it);
  }

  /** The next executions of `leaf` give `results`. */
  plan(leaf: Leaf, ...results: LeafResult[]): void {
    this.#planned.set(leaf, results);
  }

  evict(cell: Cell): number {
    return this.program.stack.evict(this.program.at(cell));
  }

  state(cell: Cell): number {
    return this.program.stack.state(this.program.at(cell));
  }

  get isDead(): boolean {
    return this.program.sections.some((vepc) => this.program.stack.instance(vepc).isDead);
  }

  /** Plans that were used up do not count. */
  left(leaf: Leaf): number {
    return this.#planned.get(leaf)?.length ?? 0;
  }

  #leaves(real: SgxHardware): Partial<SgxHardware> {
    const replace = (leaf: Leaf) =>
      ((...operands: never[]) =>
        this.#planned.get(leaf)?.shift() ?? Reflect.apply(real[leaf], real, operands)) as never;
    return {
      erdinfo: replace('erdinfo'),
      eblock: replace('eblock'),
      eincvirtchild: replace('eincvirtchild'),
      edecvirtchild: replace('edecvirtchild'),
      ewb: replace('ewb'),
      etrackc: replace('etrackc'),
      elduc: replace('elduc'),
      esetcontext: replace('esetcontext'),
    };
  }
}

const often = (result: LeafResult, count = 50): LeafResult[] => Array.from({ length: count }, () => result);

interface Refusal {
  readonly leaf: Leaf;
  readonly results: readonly LeafResult[];
  readonly eviction: number;
  readonly isDead?: boolean;
  /** State of the page after the try. */
  readonly state: number;
  /** Page to evict; a child if left out. */
  readonly cell?: Cell;
}

const { PRESENT, ZAPPED, EVICTED } = GuestState;

describe('a leaf of an eviction that fails', () => {
  const refusals: readonly Refusal[] = [
    { leaf: 'erdinfo', results: [EPC_PAGE_CONFLICT], eviction: Eviction.EVICTED, state: EVICTED },
    { leaf: 'erdinfo', results: often(EPC_PAGE_CONFLICT), eviction: Eviction.BUSY, state: PRESENT },
    { leaf: 'erdinfo', results: [LeafFault.GP], eviction: Eviction.KEPT, isDead: true, state: ZAPPED },
    { leaf: 'eblock', results: [EPC_PAGE_CONFLICT], eviction: Eviction.EVICTED, state: EVICTED },
    { leaf: 'eblock', results: often(EPC_PAGE_CONFLICT), eviction: Eviction.BUSY, state: PRESENT },
    { leaf: 'eblock', results: [SgxCode.ENTRYEPOCH_LOCKED], eviction: Eviction.BUSY, state: PRESENT },
    { leaf: 'eblock', results: [LeafFault.PF], eviction: Eviction.KEPT, isDead: true, state: ZAPPED },
    { leaf: 'eincvirtchild', results: [EPC_PAGE_CONFLICT], eviction: Eviction.EVICTED, state: EVICTED },
    { leaf: 'eincvirtchild', results: often(EPC_PAGE_CONFLICT), eviction: Eviction.BUSY, state: ZAPPED },
    { leaf: 'eincvirtchild', results: [LeafFault.GP], eviction: Eviction.BUSY, state: ZAPPED },
    { leaf: 'eincvirtchild', results: [LeafFault.PF], eviction: Eviction.BUSY, isDead: true, state: ZAPPED },
    { leaf: 'ewb', results: [NOT_TRACKED, NOT_TRACKED], eviction: Eviction.EVICTED, state: EVICTED },
    { leaf: 'ewb', results: often(NOT_TRACKED), eviction: Eviction.BUSY, state: ZAPPED },
    { leaf: 'ewb', results: [LeafFault.GP], eviction: Eviction.BUSY, state: ZAPPED },
    { leaf: 'ewb', results: [LeafFault.PF], eviction: Eviction.BUSY, isDead: true, state: ZAPPED },
    { leaf: 'etrackc', results: [EPC_PAGE_CONFLICT], eviction: Eviction.EVICTED, state: EVICTED },
    { leaf: 'etrackc', results: often(EPC_PAGE_CONFLICT, 15), eviction: Eviction.EVICTED, state: EVICTED },
    { leaf: 'etrackc', results: often(EPC_PAGE_CONFLICT), eviction: Eviction.BUSY, state: ZAPPED },
    { leaf: 'etrackc', results: [PREV_TRK_INCMPL], eviction: Eviction.EVICTED, state: EVICTED },
    { leaf: 'etrackc', results: often(PREV_TRK_INCMPL), eviction: Eviction.BUSY, state: ZAPPED },
    { leaf: 'ewb', cell: VERSIONS, results: [LeafFault.GP], eviction: Eviction.BUSY, state: ZAPPED },
    {
      leaf: 'ewb',
      cell: VERSIONS,
      results: [LeafFault.PF],
      eviction: Eviction.BUSY,
      isDead: true,
      state: ZAPPED,
    },
  ];
  for (const { leaf, results, eviction, state, isDead = false, cell = DATA } of refusals) {
    it(`${leaf} ${results[0]} × ${results.length}: eviction ${eviction}, state ${state}, dead ${isDead}`, () => {
      const failing = new Failing();
      failing.plan(leaf, ...results);
      expect([failing.evict(cell), failing.state(cell), failing.isDead]).toEqual([eviction, state, isDead]);
      expect(failing.program.stack.violations()).toEqual([]);
      failing.plan(leaf);
      if (isDead) {
        expect(failing.program.step({ do: 'eremove', at: cell })).toBe('eremove -7');
      } else {
        // Whatever has happened, the guest finds its page as it was, and a later eviction succeeds.
        const read = failing.program.step(cell === DATA ? readData : { do: 'eblock', at: cell });
        expect(read).toBe(cell === DATA ? 'read 0: 2 3 false 102' : `eblock ${SgxCode.NOTBLOCKABLE}`);
        expect(failing.program.stack.evictAll()).toBe(0);
        expect(failing.program.stack.violations()).toEqual([]);
      }
      failing.program.stack.end();
      expect(failing.program.stack.pools.free).toBe(64);
    });
  }

  it('kills the instance in the published branch, whatever it is', () => {
    for (const { leaf, results } of refusals.filter(({ eviction }) => eviction === Eviction.BUSY)) {
      const failing = new Failing(kvmOversub);
      failing.plan(leaf, ...results);
      failing.evict(DATA);
      expect([leaf, failing.isDead]).toEqual([leaf, true]);
    }
  });
});

describe('a leaf of a load that fails', () => {
  const refusals: readonly {
    readonly leaf: Leaf;
    readonly results: readonly LeafResult[];
    readonly seen: string;
    readonly sends?: number;
  }[] = [
    { leaf: 'elduc', results: [EPC_PAGE_CONFLICT], seen: 'read 0: 2 3 false 102' },
    { leaf: 'elduc', results: often(EPC_PAGE_CONFLICT, 15), seen: 'read 0: 2 3 false 102', sends: 1 },
    { leaf: 'elduc', results: often(EPC_PAGE_CONFLICT, 45), seen: 'read 0: 2 3 false 102', sends: 2 },
    { leaf: 'elduc', results: [MAC_COMPARE_FAIL], seen: 'read -7' },
    { leaf: 'elduc', results: [LeafFault.PF], seen: 'read -7' },
    { leaf: 'edecvirtchild', results: [EPC_PAGE_CONFLICT], seen: 'read 0: 2 3 false 102' },
    { leaf: 'edecvirtchild', results: [INVALID_COUNTER], seen: 'read -7' },
    { leaf: 'edecvirtchild', results: often(EPC_PAGE_CONFLICT, 15), seen: 'read 0: 2 3 false 102', sends: 1 },
    { leaf: 'edecvirtchild', results: often(EPC_PAGE_CONFLICT, 20), seen: 'read -7', sends: 1 },
    { leaf: 'esetcontext', results: [EPC_PAGE_CONFLICT], seen: 'read 0: 2 3 false 102' },
    { leaf: 'esetcontext', results: [LeafFault.PF], seen: 'read -7' },
  ];
  for (const { leaf, results, seen, sends = 0 } of refusals) {
    it(`${leaf} ${results[0]} × ${results.length}: ${seen}`, () => {
      const failing = new Failing();
      const { stack } = failing.program;
      expect(stack.evictAll()).toBe(0);
      const rounds = stack.ipi.rounds;
      failing.plan(leaf, ...results);
      expect(failing.program.step(readData)).toBe(seen);
      expect([failing.left(leaf), stack.ipi.rounds - rounds]).toEqual([0, sends]);
      expect(stack.violations()).toEqual([]);
      stack.end();
      expect(stack.pools.free).toBe(64);
    });
  }
});

describe('a count that cannot be taken back after a write that failed', () => {
  it.each([
    [1, 0],
    [15, 0],
    [20, 1],
  ])('%i conflicts: the SECS owes %i', (conflicts, owed) => {
    const failing = new Failing();
    const { stack } = failing.program;
    const { vepc, page } = failing.program.at(SECS);
    const { records } = stack.instance(vepc);
    failing.plan('ewb', LeafFault.GP);
    failing.plan('edecvirtchild', ...often(EPC_PAGE_CONFLICT, conflicts));
    expect([failing.evict(DATA), failing.state(DATA), failing.isDead]).toEqual([
      Eviction.BUSY,
      ZAPPED,
      false,
    ]);
    expect([records.owed(page), failing.left('edecvirtchild')]).toEqual([owed, 0]);
    expect(stack.violations()).toEqual([]);
    expect(failing.evict(DATA)).toBe(Eviction.EVICTED);
    expect(records.owed(page)).toBe(0);
    expect(stack.violations()).toEqual([]);
    expect(failing.program.step(readData)).toBe('read 0: 2 3 false 102');
    expect(stack.violations()).toEqual([]);
  });
});

describe('memory that is wanting', () => {
  it('for a backing page leaves the page where it is', () => {
    let isFull = false;
    const program = new Program({ mayAllocate: () => !isFull });
    for (const it of building) program.step(it);
    isFull = true;
    expect(program.stack.evict(program.at(DATA))).toBe(Eviction.BUSY);
    isFull = false;
    expect(program.stack.evict(program.at(DATA))).toBe(Eviction.EVICTED);
    expect(program.stack.violations()).toEqual([]);
  });

  it('for an entry of the page table leaves a page resident; the next touch maps it (V-26)', () => {
    let refused = 0;
    const program = new Program({ failures: { fails: (call) => call === 'pfn' && refused-- > 0 } });
    refused = 1;
    expect(program.step({ do: 'epa', at: VERSIONS })).toBe('epa -7');
    expect(program.stack.state(program.at(VERSIONS))).toBe(GuestState.UNMAPPED);
    expect(program.step({ do: 'epa', at: VERSIONS })).toBe('epa 0');
    for (const it of building.slice(1)) program.step(it);
    refused = 1;
    expect(program.stack.evict(program.at(SECS))).toBe(Eviction.BUSY);
    expect(program.stack.state(program.at(SECS))).toBe(GuestState.UNMAPPED);
    expect(program.stack.violations()).toEqual([]);
    expect(program.step(readData)).toBe('read 0: 2 3 false 102');
    expect(program.stack.violations()).toEqual([]);
    program.stack.end();
    expect(program.stack.pools.free).toBe(64);
  });

  it('for version arrays refuses the mapping, which may be tried again', () => {
    const program = new Program({ epcPages: 3 });
    const { stack } = program;
    const vepc = stack.driver.open(600);
    if (vepc === null) throw new Error('open');
    stack.run(stack.oversub.enabler.enable(stack.thread(), vepc, stack.vm));
    for (let i = 0; i < 2; i++) {
      expect(stack.map(vepc)).toBe(-Errno.ENOMEM);
      expect([stack.pools.free, stack.violations()]).toEqual([1, []]);
    }
    stack.run(stack.oversub.enabler.disable(stack.thread(), program.sections[0]));
    stack.close(program.sections[0]);
    expect(stack.map(vepc)).toBe(0);
    expect([stack.pools.free, stack.violations()]).toEqual([0, []]);
  });
});
