import type { LeafId } from '@epckit/interface';
import { Leaf, leafNames, SgxCode } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import type { Operands } from './arena.js';
import { Arena, place } from './arena.js';
import type { Held, View } from './conflict-rules.js';
import { judge, rules, viewOf } from './conflict-rules.js';

const { va1, va2, secsA, secsB, secsC, secsE, outside } = place;
const PAGES = [
  place.free1,
  place.free2,
  place.p,
  place.q,
  place.blocked1,
  place.new1,
  place.restricted,
  place.trimmed,
  place.tcs1,
  place.saved1,
  place.pB,
  place.pC,
  secsA,
  secsB,
  secsE,
  va1,
  outside,
];
/** SECS operands of the leaves that have one. */
const SECS_OPERANDS = new Map<LeafId, readonly number[]>([
  [Leaf.EADD, [secsB, secsC, secsA, outside]],
  [Leaf.EAUG, [secsA, secsB]],
  [Leaf.EEXTEND, [secsB, secsC, secsA]],
  [Leaf.ELDB, [secsA]],
  [Leaf.ELDU, [secsA, secsB, outside]],
  [Leaf.ELDBC, [secsA]],
  [Leaf.ELDUC, [secsA]],
  [Leaf.EINCVIRTCHILD, [secsA, outside]],
  [Leaf.EDECVIRTCHILD, [secsA]],
]);
const VA_OPERANDS = new Map<LeafId, readonly number[]>([
  [Leaf.ELDB, [va1]],
  [Leaf.ELDU, [va1, va2, place.p]],
  [Leaf.ELDBC, [va1]],
  [Leaf.ELDUC, [va2]],
  [Leaf.EWB, [va1, va2, place.p]],
]);
/** Leaves without an operand. */
const BARE: readonly LeafId[] = [Leaf.EUPDATESVN, Leaf.EEXIT, Leaf.AEX, Leaf.EDECCSSA];
/** Leaves that only enclave code runs: CPU 2 instead of 0, CPU 3 instead of 1. */
const INSIDE: readonly LeafId[] = [
  Leaf.EACCEPT,
  Leaf.EMODPE,
  Leaf.EACCEPTCOPY,
  Leaf.EEXIT,
  Leaf.AEX,
  Leaf.EDECCSSA,
];

const everything: Operands[] = Object.values(Leaf).flatMap((leaf) =>
  (BARE.includes(leaf) ? [-1] : PAGES).flatMap((page) =>
    (SECS_OPERANDS.get(leaf) ?? [-1]).flatMap((secs) =>
      (VA_OPERANDS.get(leaf) ?? [-1]).map((va) => ({ leaf, page, secs, va })),
    ),
  ),
);

const mineOf = ({ leaf }: Operands): number => (INSIDE.includes(leaf) ? 2 : 0);
const otherOf = ({ leaf }: Operands): number => (INSIDE.includes(leaf) ? 3 : 1);
const nameOf = ({ leaf, page, secs, va }: Operands): string => `${leafNames[leaf]}(${page}, ${secs}, ${va})`;

/** Arena, its view, and what each leaf gives when nobody else runs one. */
class Bench {
  readonly inGuest: boolean;
  arena: Arena;
  readonly view: View;
  readonly #alone = new Map<Operands, number>();
  #successes = 0;
  #used = false;

  constructor(inGuest: boolean) {
    this.inGuest = inGuest;
    this.arena = this.#fresh();
    this.view = viewOf(this.arena.hardware);
    for (const operands of everything) {
      this.#alone.set(operands, this.call(operands));
      this.arena = this.#fresh();
    }
  }
  #fresh(): Arena {
    const arena = new Arena();
    for (let cpu = 0; cpu < 4; cpu++) arena.hardware.setExtended(cpu, this.inGuest);
    return arena;
  }
  call(operands: Operands): number {
    return this.arena.call(mineOf(operands), operands);
  }
  alone(operands: Operands): number {
    return this.#alone.get(operands) as number;
  }
  acquire(cpu: number, { leaf, page, secs, va }: Operands): number {
    return this.arena.hardware.acquire(cpu, leaf, page, secs, va);
  }
  judge(operands: Operands, others: readonly Held[]) {
    return judge(this.view, operands, mineOf(operands) === 2 ? secsA : -1, others, this.inGuest);
  }
  /** One pair: `other` runs, `mine` is acquired and called. @returns what is wrong, or null */
  tryPair(other: Operands, held: readonly Held[], mine: Operands): string | null {
    const expected = this.judge(mine, held).result;
    const { hardware } = this.arena;
    const started = this.acquire(otherOf(other), other);
    const acquired = this.acquire(mineOf(mine), mine);
    if (acquired === 0) hardware.complete(mineOf(mine));
    const verdict = this.#tryCall(mine, expected);
    hardware.complete(otherOf(other));
    // Nobody may hold anything now: the one leaf that minds everybody tells.
    const isFree = hardware.acquire(1, Leaf.EUPDATESVN, -1, -1, -1) === 0;
    hardware.complete(1);
    const isRight = started === 0 && acquired === expected && verdict === '' && isFree;
    if (isRight) return null;
    return `${nameOf(mine)} while ${nameOf(other)}: acquire ${acquired}, not ${expected}; ${verdict}; ${isFree}`;
  }
  /** A call that succeeds costs a new arena, so only some of those are made. */
  #tryCall(mine: Operands, expected: number): string {
    const alone = this.alone(mine);
    const succeeds = expected === 0 && (alone === 0 || alone === SgxCode.VA_SLOT_OCCUPIED || alone === 1);
    if (succeeds && this.#successes++ % 24 !== 0) return '';
    const before = this.arena.hardware.changes;
    const called = this.call(mine);
    const isSame = this.arena.hardware.changes === before;
    if (succeeds) this.#used = true;
    const result = expected === 0 ? alone : expected;
    if (called !== result) return `call ${called}, not ${result}`;
    return succeeds || isSame ? '' : 'a refused call has changed something';
  }
  /** A new arena if the last one was changed. */
  renew(): void {
    if (this.#used) this.arena = this.#fresh();
    this.#used = false;
  }
}

describe.each([
  ['native', false],
  ['in a guest with EPC virtualization extensions', true],
])('every leaf during every leaf, %s', (_mode, inGuest) => {
  const bench = new Bench(inGuest);

  it('has the outcome of the table, for acquire and for the call', { timeout: 120_000 }, () => {
    const wrong: string[] = [];
    let conflicts = 0;
    for (const other of everything) {
      const { held } = judge(bench.view, other, mineOf(other) === 2 ? secsA : -1, [], inGuest);
      for (const mine of everything) {
        const verdict = bench.tryPair(other, held, mine);
        bench.renew();
        if (verdict !== null) wrong.push(verdict);
        if (bench.judge(mine, held).result !== 0) conflicts++;
      }
    }
    expect(wrong.slice(0, 20)).toEqual([]);
    expect(conflicts).toBeGreaterThan(10_000);
  });

  it('reaches every row of the table', () => {
    const seen = new Set<string>();
    for (const other of everything) {
      const { held } = judge(bench.view, other, mineOf(other) === 2 ? secsA : -1, [], inGuest);
      for (const mine of everything) {
        const { result } = bench.judge(mine, held);
        if (result !== 0) seen.add(`${mine.leaf} ${result}`);
      }
    }
    const due = [...rules].flatMap(([leaf, rows]) =>
      rows.map(({ busy, busyInGuest }) => `${leaf} ${inGuest ? busyInGuest : busy}`),
    );
    expect([...seen].sort()).toEqual([...new Set(due)].sort());
  });
});

it('the table has every leaf', () => {
  expect(new Set(rules.keys())).toEqual(new Set(Object.values(Leaf)));
});
