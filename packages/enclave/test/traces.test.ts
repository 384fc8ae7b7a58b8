import { describe, expect, it } from 'vitest';
import type { Enclave } from '../src/index.js';
import { Stack } from './stack.js';

/** EPC page of a page of an enclave. */
const epc = (enclave: Enclave, page: number): number => enclave.records.epc(page);

describe('expected leaf traces', () => {
  it('T2: CREATE, two measured pages, INIT on an empty machine', () => {
    const stack = new Stack({ epcPages: 8 });
    const mm = stack.process();
    const enclave = stack.create(2);
    stack.add(mm, enclave, 0, 2, true);
    expect(stack.init(enclave)).toBe(0);
    const measured = (page: number) => Array.from({ length: 16 }, () => `EEXTEND ${page}`);
    expect(stack.log.leaves).toEqual([
      'EPA 0',
      'ECREATE 1',
      'EADD 2',
      ...measured(2),
      'EADD 3',
      ...measured(3),
      'EINIT 1',
    ]);
    expect(stack.violations()).toEqual([]);
  });

  it('T3: a batch of three pages of an enclave with a thread inside', () => {
    const stack = new Stack();
    const mm = stack.process(0, 1);
    const enclave = stack.build(mm, { pages: 4, tcs: true });
    stack.touch(mm, enclave, 0);
    stack.log.label({ S: enclave.secs, a: epc(enclave, 1), b: epc(enclave, 2), c: epc(enclave, 3) });
    expect(stack.enter(enclave, 1)).toBe(0);
    stack.log.clear();
    expect(stack.reclaim()).toBe(3);
    expect(stack.log.leaves.join(', ')).toBe(
      'EBLOCK a, EBLOCK b, EBLOCK c, EWB a 11, ETRACK S, EWB a 11, IPI 0 1, AEX, EWB a, EWB b, EWB c',
    );
    expect(stack.log.slots).toEqual(['EWB a 0:0', 'EWB b 0:1', 'EWB c 0:2']);
    expect(stack.log.events.filter((event) => event.startsWith('freed'))).toEqual([
      'freed a',
      'freed b',
      'freed c',
    ]);
    expect([1, 2, 3].map((page) => enclave.records.slot(page))).toEqual([0, 1, 2]);
    expect(stack.violations()).toEqual([]);
  });

  it('T3 without a thread inside needs no interrupt', () => {
    const stack = new Stack();
    const mm = stack.process(0, 1);
    const enclave = stack.build(mm, { pages: 4, tcs: true });
    stack.touch(mm, enclave, 0);
    stack.log.label({ S: enclave.secs, a: epc(enclave, 1), b: epc(enclave, 2), c: epc(enclave, 3) });
    stack.reclaim();
    expect(stack.log.leaves.join(', ')).toBe(
      'EBLOCK a, EBLOCK b, EBLOCK c, EWB a 11, ETRACK S, EWB a, EWB b, EWB c',
    );
    expect(stack.ipi.rounds).toBe(0);
  });

  it('T4: the last children of an idle initialized enclave, then its SECS', () => {
    const { stack, enclave } = evictedPair();
    expect(stack.log.leaves.join(', ')).toBe(
      'EBLOCK a, EBLOCK b, EWB a 11, ETRACK S, EWB a, EWB b, EWB S, EREMOVE S',
    );
    expect(stack.log.events.filter((event) => event.startsWith('freed'))).toEqual([
      'freed a',
      'freed S',
      'freed b',
    ]);
    expect([enclave.secs, enclave.secsSlot, enclave.children]).toEqual([-1, 2, 0]);
    expect(stack.violations()).toEqual([]);
  });

  it('T5: a fault after T4 loads the SECS first', () => {
    const { stack, mm, enclave } = evictedPair();
    const [head, second] = stack.free();
    stack.log.clear();
    expect(stack.fault(mm, enclave, 1)).toBe(0);
    expect(stack.log.leaves).toEqual([`ELDU ${head}`, `ELDU ${second}`]);
    expect([enclave.secs, epc(enclave, 1)]).toEqual([head, second]);
    expect(stack.reclaimable()).toEqual([second]);
    expect([enclave.secsSlot, enclave.records.slot(0), enclave.records.slot(1)]).toEqual([-1, 0, -1]);
    expect([...(enclave.paging?.slots.pages() ?? [])].map(({ index, used }) => [index, used])).toEqual([
      [0, 1],
    ]);
    expect(stack.violations()).toEqual([]);
  });

  it('T8: two enclaves in one batch, one tracking cycle each', () => {
    const stack = new Stack();
    const mm = stack.process(0);
    const [a, b] = [stack.create(4), stack.create(4)];
    for (let page = 0; page < 3; page++) for (const enclave of [a, b]) stack.add(mm, enclave, page);
    for (const enclave of [a, b]) {
      stack.init(enclave);
      stack.map(mm, enclave);
      stack.touch(mm, enclave, 2);
    }
    stack.log.label({ A: a.secs, B: b.secs, a1: epc(a, 0), a2: epc(a, 1), b1: epc(b, 0), b2: epc(b, 1) });
    stack.log.clear();
    expect(stack.reclaim()).toBe(4);
    expect(stack.log.leaves.join(', ')).toBe(
      [
        'EBLOCK a1, EBLOCK b1, EBLOCK a2, EBLOCK b2',
        'EWB a1 11, ETRACK A, EWB a1, EWB b1 11, ETRACK B, EWB b1, EWB a2, EWB b2',
      ].join(', '),
    );
    expect(stack.violations()).toEqual([]);
  });

  it('T9: sixteen young pages cost no leaf and go to the end of the list', () => {
    const stack = new Stack();
    const mm = stack.process(0);
    const enclave = stack.build(mm, { pages: 20 });
    for (let page = 0; page < 16; page++) stack.touch(mm, enclave, page);
    const before = stack.reclaimable();
    const free = stack.free();
    stack.log.clear();
    expect(stack.reclaim()).toBe(0);
    expect(stack.log.leaves).toEqual([]);
    expect(stack.reclaimable()).toEqual([...before.slice(16), ...before.slice(0, 16)]);
    expect(stack.free()).toEqual(free);
    const thread = stack.thread();
    const ages = before.map((_, page) => mm.table(enclave.id)?.testAndClearYoung(thread, page));
    expect(ages).toEqual(before.map(() => false));
  });

  it('T10: release removes children ascending, the SECS, and version arrays from the head', () => {
    const stack = new Stack({ epcPages: 600 });
    const mm = stack.process(0);
    const enclave = stack.build(mm, { pages: 520 });
    for (const page of [0, 1, 7]) stack.touch(mm, enclave, page);
    stack.reclaim();
    const children = Array.from({ length: 520 }, (_, page) => epc(enclave, page)).filter((page) => page >= 0);
    const arrays = [...(enclave.paging?.slots.pages() ?? [])];
    expect([children.length, arrays.map(({ index }) => index)]).toEqual([507, [1, 0]]);
    const expected = [...children, enclave.secs, ...arrays.map(({ page }) => page)];
    stack.log.clear();
    stack.release(enclave);
    expect(stack.log.leaves).toEqual(expected.map((page) => `EREMOVE ${page}`));
    expect(stack.free()).toHaveLength(600);
    expect(stack.violations()).toEqual([]);
  });
});

/** An enclave of two pages that a batch has evicted, with its SECS. */
function evictedPair() {
  const stack = new Stack();
  const mm = stack.process(0);
  const enclave = stack.build(mm, { pages: 2 });
  stack.log.label({ S: enclave.secs, a: epc(enclave, 0), b: epc(enclave, 1) });
  stack.reclaim();
  stack.log.label({});
  return { stack, mm, enclave };
}
