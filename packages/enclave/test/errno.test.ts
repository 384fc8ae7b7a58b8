import type { SgxHardware } from '@epckit/interface';
import { Attribute, Errno, LeafFault, PageType, Prot, SecInfo, SgxCode } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import type { AddArgument, CreateArgument, Enclave } from '../src/index.js';
import { EnclaveFlag } from '../src/index.js';
import type { StackOptions } from './stack.js';
import { Stack } from './stack.js';

const BASE = 0x1000;
const good: CreateArgument = { pageCount: 16, basePage: BASE, attributes: Attribute.MODE64BIT };
const failing = (leaves: Partial<SgxHardware>): StackOptions => ({ leaves: () => leaves });

interface CreateRow {
  readonly why: string;
  readonly argument?: Partial<CreateArgument>;
  readonly stack?: StackOptions;
  readonly before?: (stack: Stack) => void;
  readonly result: number;
}

const createRows: readonly CreateRow[] = [
  { why: 'size 0', argument: { pageCount: 0 }, result: -Errno.EINVAL },
  { why: 'size 3', argument: { pageCount: 3 }, result: -Errno.EINVAL },
  { why: 'half a page: ECREATE faults', argument: { pageCount: 0.5 }, result: -Errno.EIO },
  { why: 'one page: ECREATE faults', argument: { pageCount: 1 }, result: -Errno.EIO },
  { why: 'base not aligned: ECREATE faults', argument: { basePage: BASE + 1 }, result: -Errno.EIO },
  { why: 'attribute INIT: ECREATE faults', argument: { attributes: Attribute.INIT }, result: -Errno.EIO },
  { why: 'no EPC for the version array', before: (stack) => stack.hold(64), result: -Errno.ENOMEM },
  { why: 'no EPC for the SECS', before: (stack) => stack.hold(63), result: -Errno.ENOMEM },
  { why: 'EPA faults', stack: failing({ epa: () => LeafFault.PF }), result: -Errno.EFAULT },
  { why: 'signal while reclaim is needed', before: fillAndSignal, result: -Errno.ERESTARTSYS },
];

describe('CREATE', () => {
  it.each(createRows)('$why: $result', ({ argument, stack: options, before, result }) => {
    const stack = new Stack(options);
    before?.(stack);
    const free = stack.free().length;
    const enclave = stack.driver.open();
    expect(create(stack, enclave, { ...good, ...argument })).toBe(result);
    expect([enclave.flags.value, enclave.slotUsers.value, enclave.paging]).toEqual([0, 0, null]);
    expect(stack.free()).toHaveLength(free);
    expect(stack.violations()).toEqual([]);
  });

  it('twice: EINVAL', () => {
    const stack = new Stack();
    const enclave = stack.create(16);
    expect(create(stack, enclave, good)).toBe(-Errno.EINVAL);
    expect(stack.violations()).toEqual([]);
  });

  it('can succeed after it has failed', () => {
    const stack = new Stack();
    const enclave = stack.driver.open();
    expect(create(stack, enclave, { ...good, pageCount: 1 })).toBe(-Errno.EIO);
    expect(create(stack, enclave, { ...good, attributes: Attribute.MODE64BIT | Attribute.DEBUG })).toBe(0);
    expect(enclave.flags.value).toBe(EnclaveFlag.CREATED | EnclaveFlag.DEBUG);
    expect(stack.violations()).toEqual([]);
  });
});

const page: AddArgument = { page: 0, count: 1, type: PageType.REG, prot: Prot.R, isMeasured: true };

const addRows: readonly [why: string, argument: Partial<AddArgument>][] = [
  ['no page', { count: 0 }],
  ['half a page', { count: 1.5 }],
  ['before the range', { page: -1 }],
  ['half an offset', { page: 0.5 }],
  ['beyond the range', { page: 15, count: 2 }],
  ['W without R', { prot: Prot.W }],
  ['W and X without R', { prot: Prot.W | Prot.X }],
  ['a reserved bit', { prot: Prot.R | SecInfo.PENDING }],
  ['TCS with rights', { type: PageType.TCS, prot: Prot.R }],
  ['type SECS', { type: PageType.SECS, prot: 0 }],
  ['type VA', { type: PageType.VA }],
  ['type TRIM', { type: PageType.TRIM }],
];

describe('ADD_PAGES', () => {
  it.each(addRows)('%s: EINVAL', (_, argument) => {
    const stack = new Stack();
    const enclave = stack.create(16);
    expect(add(stack, enclave, argument)).toEqual({ result: -Errno.EINVAL, count: 0 });
    expect(enclave.children).toBe(0);
    expect(stack.violations()).toEqual([]);
  });

  it('before CREATE and after INIT: EINVAL', () => {
    const stack = new Stack();
    expect(add(stack, stack.driver.open(), {}).result).toBe(-Errno.EINVAL);
    const enclave = stack.build(stack.process(), { pages: 2 });
    expect(add(stack, enclave, { page: 1 }).result).toBe(-Errno.EINVAL);
  });

  it('at an occupied page: EBUSY, with the pages before it added', () => {
    const stack = new Stack();
    const enclave = stack.create(16);
    add(stack, enclave, { page: 2 });
    expect(add(stack, enclave, { page: 0, count: 4 })).toEqual({ result: -Errno.EBUSY, count: 2 });
    expect([enclave.children, enclave.slotUsers.value]).toEqual([3, 4]);
    expect(stack.violations()).toEqual([]);
  });

  it('without EPC: ENOMEM', () => {
    const stack = new Stack();
    const enclave = stack.create(16);
    stack.hold(62);
    expect(add(stack, enclave, {})).toEqual({ result: -Errno.ENOMEM, count: 0 });
    expect(stack.violations()).toEqual([]);
  });

  it('without EPC for the version array that is due: ENOMEM, and the page is free again', () => {
    const stack = new Stack({ epcPages: 1100 });
    const enclave = stack.create(1024);
    expect(add(stack, enclave, { count: 511 }).count).toBe(511);
    for (const held of stack.reclaimable()) stack.run(stack.lists.unmark(stack.thread(), held));
    stack.hold(stack.free().length - 1);
    expect(add(stack, enclave, { page: 600 })).toEqual({ result: -Errno.ENOMEM, count: 0 });
    expect([enclave.slotUsers.value, enclave.children, stack.free().length]).toEqual([512, 511, 1]);
  });

  it('when EPA faults: EFAULT, and the page is free again', () => {
    let isBroken = false;
    const leaves = (real: SgxHardware): Partial<SgxHardware> => ({
      epa: (cpu, target) => (isBroken ? LeafFault.PF : real.epa(cpu, target)),
    });
    const stack = new Stack({ epcPages: 600, leaves });
    const enclave = stack.create(1024);
    add(stack, enclave, { count: 511 });
    const free = stack.free().length;
    isBroken = true;
    expect(add(stack, enclave, { page: 600 })).toEqual({ result: -Errno.EFAULT, count: 0 });
    expect(stack.free()).toHaveLength(free);
    expect(stack.violations()).toEqual([]);
  });

  it('when EADD faults: EIO, and the new version array goes too', () => {
    let isBroken = false;
    const leaves = (real: SgxHardware): Partial<SgxHardware> => ({
      eadd: (...operands) => (isBroken ? LeafFault.PF : real.eadd(...operands)),
    });
    const stack = new Stack({ epcPages: 600, leaves });
    const enclave = stack.create(1024);
    add(stack, enclave, { count: 511 });
    const free = stack.free().length;
    isBroken = true;
    expect(add(stack, enclave, { page: 600 })).toEqual({ result: -Errno.EIO, count: 0 });
    expect([stack.free().length, enclave.slotUsers.value]).toEqual([free, 512]);
    isBroken = false;
    expect(add(stack, enclave, { page: 600 }).result).toBe(0);
    expect(stack.violations()).toEqual([]);
  });

  it('when EEXTEND faults: EIO, and the child count stays too high (L-04)', () => {
    const stack = new Stack(failing({ eextend: () => LeafFault.PF }));
    const enclave = stack.create(16);
    expect(add(stack, enclave, {})).toEqual({ result: -Errno.EIO, count: 0 });
    expect(stack.violations()).toEqual(['I-2 Enclave 1: it counts 1 children, 0 are resident.']);
    stack.release(enclave);
    expect(stack.log.events).toContain('warned sgx_encl_release');
    expect(stack.violations()).toEqual(['I-1 EPC page 1 of enclave 1 is leaked.']);
  });
});

describe('INIT', () => {
  it('before CREATE and twice: EINVAL', () => {
    const stack = new Stack();
    expect(stack.init(stack.driver.open())).toBe(-Errno.EINVAL);
    expect(stack.init(stack.build(stack.process(), { pages: 2 }))).toBe(-Errno.EINVAL);
  });

  it.each([Attribute.PROVISIONKEY, Attribute.EINITTOKENKEY])('with attribute %i: EACCES', (key) => {
    const stack = new Stack();
    const enclave = stack.driver.open();
    expect(create(stack, enclave, { ...good, attributes: Attribute.MODE64BIT | key })).toBe(0);
    expect(stack.init(enclave)).toBe(-Errno.EACCES);
    expect(stack.log.leaves).not.toContain('EINIT 1');
  });

  it('with another measurement: EPERM', () => {
    const stack = new Stack();
    const enclave = stack.create(16);
    const signature = { measurement: '0'.repeat(64) };
    expect(stack.run(stack.driver.init.run(stack.thread(), enclave, signature))).toBe(-Errno.EPERM);
    const measurement = stack.hardware.measurement(enclave.secs);
    expect(stack.run(stack.driver.init.run(stack.thread(), enclave, { measurement }))).toBe(0);
    expect(stack.violations()).toEqual([]);
  });

  it('when EINIT faults: EIO', () => {
    const stack = new Stack();
    const enclave = stack.create(16);
    stack.hardware.powerCycle();
    expect(stack.init(enclave)).toBe(-Errno.EIO);
  });

  it.each([
    [3, 0],
    [999, 0],
    [1000, -Errno.EPERM],
  ])('after %i unmasked events: %i', (events, result) => {
    let left = events;
    const leaves = (real: SgxHardware): Partial<SgxHardware> => ({
      einit: (...operands) => (left-- > 0 ? SgxCode.UNMASKED_EVENT : real.einit(...operands)),
    });
    const stack = new Stack({ leaves });
    expect(stack.init(stack.create(16))).toBe(result);
  });
});

describe('mmap', () => {
  it.each([
    ['outside of the range of an initialized enclave', 0, 17, Prot.R, -Errno.EACCES],
    ['below it', -1, 4, Prot.R, -Errno.EACCES],
    ['beyond the ceiling of a page', 0, 4, Prot.R | Prot.W, -Errno.EACCES],
    ['with X where a page has none', 0, 1, Prot.X, -Errno.EACCES],
    ['a TCS page, which can be written whatever its EPCM says', 1, 2, Prot.R | Prot.W, 0],
    ['a hole with all rights', 2, 16, Prot.R | Prot.W | Prot.X, 0],
    ['within the ceiling', 0, 16, Prot.R, 0],
    ['nothing allowed', 0, 16, 0, 0],
  ])('%s', (_, start, end, prot, result) => {
    const stack = new Stack();
    const mm = stack.process();
    const enclave = stack.create(16);
    add(stack, enclave, {});
    stack.addTcs(mm, enclave, 1);
    stack.init(enclave);
    expect(stack.map(mm, enclave, start, end, prot)).toBe(result);
    expect(enclave.refs.value).toBe(result === 0 ? 2 : 1);
    expect(stack.violations()).toEqual([]);
  });

  it('takes one reference per address space, not per mapping', () => {
    const stack = new Stack();
    const [one, two] = [stack.process(), stack.process()];
    const enclave = stack.build(one, { pages: 4 });
    stack.map(one, enclave, 0, 2);
    stack.map(two, enclave);
    expect([enclave.refs.value, enclave.addressSpaces()]).toEqual([3, [two, one]]);
  });
});

function create(stack: Stack, enclave: Enclave, argument: CreateArgument): number {
  return stack.run(stack.driver.create.run(stack.thread(), enclave, argument));
}

function add(stack: Stack, enclave: Enclave, argument: Partial<AddArgument>) {
  const routine = stack.driver.addPages.run(stack.thread(), stack.process(), enclave, {
    ...page,
    ...argument,
  });
  return stack.run(routine);
}

/** Nothing is free, one page could be reclaimed, and a signal is pending. */
function fillAndSignal(stack: Stack): void {
  stack.build(stack.process(), { pages: 2, init: false });
  stack.hold(stack.free().length);
  stack.thread().signalPending = true;
}
