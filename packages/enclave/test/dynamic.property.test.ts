import { PageType, Prot } from '@epckit/interface';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Stack } from './stack.js';

const RANGE = 32;

interface Command {
  readonly do:
    | 'touch'
    | 'accept'
    | 'restrict'
    | 'trim'
    | 'thread'
    | 'remove'
    | 'batch'
    | 'evict'
    | 'grow'
    | 'cycle';
  readonly page: number;
  readonly count: number;
}

const command: fc.Arbitrary<Command> = fc.record({
  do: fc.constantFrom(
    'touch',
    'accept',
    'restrict',
    'trim',
    'thread',
    'remove',
    'batch',
    'evict',
    'grow',
    'cycle',
  ),
  page: fc.noBias(fc.nat(RANGE - 1)),
  count: fc.integer({ min: 1, max: 3 }),
});

/** An enclave that grows, shrinks and changes at run time, in an EPC which is too small for it. */
class Run {
  readonly stack = new Stack({ dynamic: true, epcPages: 16, batchPages: 4, lowPages: 3, highPages: 6 });
  readonly mm = this.stack.process(0);
  readonly enclave = this.stack.build(this.mm, { pages: 6, range: RANGE });
  readonly done = new Map<string, number>();

  step(it: Command): void {
    const { stack, enclave } = this;
    if (it.do === 'batch') stack.reclaim();
    else if (it.do === 'evict') stack.reclaimAll();
    else if (it.do === 'touch') stack.fault(this.mm, enclave, it.page);
    else if (it.do === 'accept') this.#accept(it.page);
    else if (it.do === 'grow') this.#grow(it);
    else if (it.do === 'cycle') this.#cycle(it);
    else this.#ioctl(it.do, it);
  }

  #accept(page: number): void {
    const { records } = this.enclave;
    if (records.exists(page) && records.epc(page) >= 0) this.stack.accept(this.enclave, page);
  }

  /** Pages that are ready to be used. */
  #grow({ page, count }: Command): void {
    for (let index = page; index < Math.min(page + count, RANGE); index++) {
      this.stack.fault(this.mm, this.enclave, index);
      this.#accept(index);
    }
  }

  /** The whole life of a page. */
  #cycle(it: Command): void {
    this.step({ ...it, do: 'touch' });
    this.#accept(it.page);
    this.#ioctl('trim', { ...it, count: 1 });
    this.#accept(it.page);
    this.#ioctl('remove', { ...it, count: 1 });
  }

  #ioctl(name: 'restrict' | 'trim' | 'thread' | 'remove', { page, count }: Command): void {
    const { driver } = this.stack;
    const range = { page, count: Math.min(count, RANGE - page) };
    const type = name === 'trim' ? PageType.TRIM : PageType.TCS;
    const thread = this.stack.thread();
    const ioctls = {
      restrict: () => driver.restrictPermissions.run(thread, this.enclave, { ...range, permissions: Prot.R }),
      trim: () => driver.modifyTypes.run(thread, this.enclave, { ...range, type }),
      thread: () => driver.modifyTypes.run(thread, this.enclave, { ...range, type }),
      remove: () => driver.removePages.run(thread, this.enclave, range),
    };
    const result = this.stack.run(ioctls[name]());
    expect(result.result === 0).toBe(result.count === range.count);
    this.done.set(name, (this.done.get(name) ?? 0) + result.count);
  }
}

it('every table agrees with every other after each step of a random life', () => {
  fc.assert(
    fc.property(fc.array(command, { minLength: 10, maxLength: 60 }), (commands) => {
      const run = new Run();
      for (const it of commands) {
        run.step(it);
        expect(run.stack.violations()).toEqual([]);
      }
    }),
    { numRuns: 60 },
  );
});

it('a random life does everything there is, and ends with an empty EPC', () => {
  const run = new Run();
  for (const it of fc.sample(command, { seed: 1, numRuns: 800 })) run.step(it);
  expect([...run.done].filter(([, count]) => count < 5)).toEqual([]);
  expect(run.done.size).toBe(4);
  for (const name of ['EAUG', 'EWB', 'ELDU']) {
    expect(run.stack.log.leaves.filter((leaf) => leaf.startsWith(name)).length, name).toBeGreaterThan(5);
  }
  run.stack.release(run.enclave);
  expect(run.stack.free()).toHaveLength(16);
  expect(run.stack.violations()).toEqual([]);
});
