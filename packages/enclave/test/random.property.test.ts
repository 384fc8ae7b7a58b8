import type { AddressSpace } from '@epckit/interface';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Enclave } from '../src/index.js';
import { Stack } from './stack.js';

const RANGE = 32;
const MAX_ENCLAVES = 3;

interface GlobalCommand {
  readonly do: 'batch' | 'daemon' | 'build';
}

type EnclaveCommand =
  | { readonly do: 'touch'; readonly which: number; readonly page: number; readonly mm: number }
  | { readonly do: 'add'; readonly which: number; readonly page: number; readonly count: number }
  | { readonly do: 'init' | 'release' | 'map' | 'unmap'; readonly which: number };

type Command = GlobalCommand | EnclaveCommand;

const which = fc.nat(MAX_ENCLAVES - 1);
const page = fc.nat(RANGE - 1);
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 12, arbitrary: fc.record({ do: fc.constant('touch' as const), which, page, mm: fc.nat(1) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('add' as const),
      which,
      page,
      count: fc.integer({ min: 1, max: 6 }),
    }),
  },
  { weight: 5, arbitrary: fc.record({ do: fc.constantFrom('batch' as const, 'daemon' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('build' as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constantFrom('init' as const, 'map' as const, 'unmap' as const), which }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('release' as const), which }) },
);

/** One to three enclaves that two processes use, in an EPC which is too small for them. */
class Run {
  readonly stack = new Stack({ epcPages: 28, batchPages: 4, lowPages: 3, highPages: 6 });
  readonly mms: readonly AddressSpace[] = [this.stack.process(0), this.stack.process(1)];
  readonly enclaves: Enclave[] = [];

  constructor() {
    this.stack.startDaemon();
    this.#build();
  }

  step(it: Command): void {
    if ('which' in it) this.#stepOn(this.enclaves[it.which % this.enclaves.length] as Enclave, it);
    else if (it.do === 'batch') this.stack.reclaim();
    else if (it.do === 'daemon') this.#wakeDaemon();
    else this.#build();
  }

  /** Broken invariants, also those that hold only because no allocation of backing fails here. */
  problems(): string[] {
    return [...this.stack.violations(), ...this.enclaves.flatMap((enclave) => surplusFilePages(enclave))];
  }

  #stepOn(enclave: Enclave, it: EnclaveCommand): void {
    const { stack } = this;
    if (it.do === 'touch') this.#touch(enclave, it.page, it.mm);
    else if (it.do === 'add')
      stack.add(this.mms[0] as AddressSpace, enclave, it.page, Math.min(it.count, RANGE - it.page));
    else if (it.do === 'init') stack.init(enclave);
    else if (it.do === 'map') stack.map(this.mms[1] as AddressSpace, enclave);
    else if (it.do === 'unmap') this.#unmap(enclave);
    else this.#release(enclave);
  }

  /** A mapped page that exists can always be reached in the end: something is reclaimable. */
  #touch(enclave: Enclave, index: number, process: number): void {
    const mm = this.mms[process] as AddressSpace;
    const isMapped = mm.table(enclave.id)?.vmaOf(index) !== undefined;
    let isDone = this.stack.touch(mm, enclave, index, 1, process);
    for (let tries = 0; !isDone && tries < 20 && isMapped && enclave.records.exists(index); tries++) {
      this.#wakeDaemon();
      isDone = this.stack.touch(mm, enclave, index, 1, process);
    }
    expect(isDone).toBe(isMapped && enclave.records.exists(index));
  }

  #wakeDaemon(): void {
    this.stack.reclaimer.wakeUp(this.stack.thread());
    this.stack.machine.runKernelThreads();
  }

  #build(): void {
    if (this.enclaves.length === MAX_ENCLAVES) return;
    const enclave = this.stack.create(RANGE);
    this.stack.add(this.mms[0] as AddressSpace, enclave, 0, 4);
    this.stack.map(this.mms[0] as AddressSpace, enclave);
    this.enclaves.push(enclave);
  }

  #unmap(enclave: Enclave): void {
    const { driver } = this.stack;
    this.stack.run(driver.mapper.unmap(this.stack.thread(), this.mms[1] as AddressSpace, enclave, 0, RANGE));
  }

  #release(enclave: Enclave): void {
    if (this.enclaves.length === 1) return;
    this.stack.release(enclave);
    this.enclaves.splice(this.enclaves.indexOf(enclave), 1);
    expect(enclave.isReleased).toBe(true);
  }
}

/** Contents and PCMD pages in the file that no evicted page needs. */
function surplusFilePages(enclave: Enclave): string[] {
  const { records, pageCount } = enclave;
  const evicted = Array.from({ length: pageCount }, (_, index) => index).filter(
    (index) => records.slot(index) >= 0,
  );
  if (enclave.secsSlot >= 0) evicted.push(pageCount);
  const needed = new Set(evicted.flatMap((index) => [index, pageCount + 1 + (index >>> 5)]));
  const present = enclave.paging?.backing.presentPages() ?? [];
  return present
    .filter((it) => !needed.has(it))
    .map((it) => `File page ${it} of enclave ${enclave.id} is not needed.`);
}

it('every table agrees with every other after each step of a random run', () => {
  fc.assert(
    fc.property(fc.array(command, { minLength: 10, maxLength: 60 }), (commands) => {
      const run = new Run();
      for (const it of commands) {
        run.step(it);
        expect(run.problems()).toEqual([]);
      }
    }),
    { numRuns: 60 },
  );
});

it('a random run evicts and loads pages, SECS pages among them, and ends with an empty EPC', () => {
  const run = new Run();
  for (const it of fc.sample(command, { seed: 1, numRuns: 600 })) run.step(it);
  const { leaves } = run.stack.log;
  for (const name of ['EWB', 'ELDU', 'EBLOCK', 'ETRACK', 'EREMOVE', 'EINIT']) {
    expect(leaves.filter((leaf) => leaf.startsWith(name)).length, name).toBeGreaterThan(3);
  }
  for (const enclave of run.enclaves) run.stack.release(enclave);
  expect(run.stack.free()).toHaveLength(28);
  expect(run.stack.violations()).toEqual([]);
});
