import type { SecsSource } from '@epckit/interface';
import { Errno, NONE } from '@epckit/interface';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Vepc, VepcAddress } from '../src/index.js';
import { Stack } from './stack.js';

const EPC_PAGES = 16;
const RANGE = 6;

const cell = fc.record({ which: fc.nat(3), page: fc.nat(RANGE - 1) });
const command = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constant('fault' as const), at: cell }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('ecreate' as const), at: cell }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constant('eadd' as const), at: cell, secs: fc.nat(3) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('eremove' as const, 'epa' as const), at: cell }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('removeAll' as const), at: cell }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('open' as const, 'close' as const), at: cell }) },
);
type Command = typeof command extends fc.Arbitrary<infer T> ? T : never;

/** Up to four instances in an EPC that is too small for them; guests' enclaves spread over all of them. */
class Run {
  readonly stack = new Stack({ epcPages: EPC_PAGES });
  readonly instances: Vepc[] = [];
  /** Enclaves that were made; the SECS may be gone. */
  readonly #enclaves: { readonly at: VepcAddress; readonly source: SecsSource }[] = [];
  #linear = 0;

  constructor() {
    for (let i = 0; i < 3; i++) this.instances.push(this.stack.open(RANGE));
  }

  step(it: Command): void {
    const { stack, instances } = this;
    if (it.do === 'open') {
      if (instances.length < 4) instances.push(stack.open(RANGE));
      return;
    }
    const vepc = instances[it.at.which % instances.length] as Vepc;
    const at = stack.at(vepc, it.at.page);
    if (it.do === 'fault') stack.fault(vepc, it.at.page);
    else if (it.do === 'ecreate') this.#ecreate(at);
    else if (it.do === 'eadd') this.#eadd(at, it.secs);
    else if (it.do === 'eremove') stack.run(stack.driver.guest.eremove(stack.thread(), at));
    else if (it.do === 'epa') stack.run(stack.driver.guest.epa(stack.thread(), at));
    else if (it.do === 'removeAll') expect(stack.removeAll(vepc)).not.toBe(-Errno.EBUSY);
    else this.#close(vepc);
  }

  closeAll(): void {
    while (this.instances.length > 0) this.#close(this.instances[0] as Vepc, 0);
  }

  /** Allocated pages are those of instances and zombies. */
  accounted(): number {
    const held = this.instances.reduce((sum, { pages }) => sum + pages.count, 0);
    return held + this.stack.driver.zombies.all().length + this.stack.free().length;
  }

  #ecreate(at: VepcAddress): void {
    const source = this.stack.source();
    const { guest } = this.stack.driver;
    if (this.stack.run(guest.ecreate(this.stack.thread(), at, source, this.stack.trap)) === 0) {
      this.#enclaves.push({ at, source });
    }
  }

  #eadd(at: VepcAddress, which: number): void {
    const enclave = this.#enclaves[this.#enclaves.length - 1 - which];
    if (enclave === undefined) return;
    this.stack.eadd(at, enclave.at, enclave.source, this.#linear++ % 16);
  }

  /** A zombie is a SECS whose children are in an instance that lives. */
  #close(vepc: Vepc, keep = 1): void {
    const { stack, instances } = this;
    if (instances.length === keep) return;
    instances.splice(instances.indexOf(vepc), 1);
    stack.release(vepc);
    for (const secs of stack.driver.zombies.all()) {
      const children = instances.flatMap((other) => childrenOf(stack, other, secs));
      expect(children.length).toBe(stack.hardware.tracking(secs).children);
      expect(children.length).toBeGreaterThan(0);
    }
  }
}

function childrenOf(stack: Stack, { pages }: Vepc, secs: number): number[] {
  const children: number[] = [];
  for (let i = pages.next(0); i !== NONE; i = pages.next(i + 1)) {
    const page = pages.get(i);
    if (stack.hardware.isValid(page) && stack.hardware.entry(page).secs === secs) children.push(page);
  }
  return children;
}

it('in a random run every page is free, of an instance or a zombie; in the end all are free', () => {
  fc.assert(
    fc.property(fc.array(command, { minLength: 10, maxLength: 80 }), (commands) => {
      const run = new Run();
      for (const it of commands) {
        run.step(it);
        expect(run.stack.violations()).toEqual([]);
        expect(run.accounted()).toBe(EPC_PAGES);
      }
      run.closeAll();
      expect(run.stack.violations()).toEqual([]);
      expect([run.stack.driver.zombies.all(), run.stack.free().length]).toEqual([[], EPC_PAGES]);
    }),
    { numRuns: 150 },
  );
});

it('a long random run meets zombies, full EPC and SECS pages with children', () => {
  const run = new Run();
  let zombies = 0;
  for (const it of fc.sample(command, { seed: 1, numRuns: 1500 })) {
    run.step(it);
    zombies = Math.max(zombies, run.stack.driver.zombies.all().length);
  }
  expect(zombies).toBeGreaterThan(0);
  const { leaves, events } = run.stack.log;
  const count = (pattern: RegExp, lines: readonly string[]) =>
    lines.filter((line) => pattern.test(line)).length;
  expect(count(/^EREMOVE \d+ 13$/, leaves)).toBeGreaterThan(10);
  expect(count(/not mapped$/, events)).toBeGreaterThan(10);
  run.closeAll();
  expect(run.stack.free()).toHaveLength(EPC_PAGES);
});
