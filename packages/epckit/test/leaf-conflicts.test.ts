import type { Enclave } from '@epckit/enclave';
import type { CostKey, LeafId, PageIndex, Routine } from '@epckit/interface';
import { Cost, Leaf, LeafFault, PageType, SgxCode } from '@epckit/interface';
import { clientCosts, createCostTable } from '@epckit/machine';
import { generateUniform } from '@epckit/trace';
import { describe, expect, it } from 'vitest';
import type { Epc, UserCpu } from '../src/index.js';
import { createEpc, linux6, Program } from '../src/index.js';
import { leafListener } from './mapped-enclave.js';

const ETRACK = 800;
const EEXTEND = 5500;

/** A stack of two CPUs whose kernel takes no locks: tests execute leaves as they like. */
class Leaves {
  readonly epc: Epc;
  /** Results in order of execution: CPU, leaf, end, result. */
  readonly log: (readonly [cpu: number, leaf: string, end: number, result: number])[] = [];
  readonly secs: PageIndex;
  readonly pages: readonly PageIndex[];

  constructor(isStrict: boolean) {
    this.epc = createEpc({
      ...linux6,
      machine: { cpus: [{ node: 0 }, { node: 0 }], sections: [{ node: 0, pageCount: 64 }] },
      costs: createCostTable(clientCosts, { ETRACK, EEXTEND, EREMOVE: ETRACK }),
      timed: { isStrict },
    });
    const { driver, machine, cpus, processes } = this.epc;
    this.epc.boot();
    const { thread } = cpus[0] as UserCpu;
    const process = this.epc.createProcess('P');
    const enclave: Enclave = processes.open(process);
    const range = { pageCount: 4, basePage: driver.chooseBasePage(4), attributes: 4 };
    machine.run(thread, driver.create.run(thread, enclave, range));
    const data = { page: 0, count: 2, type: PageType.REG, prot: 3, isMeasured: false };
    machine.run(thread, driver.addPages.run(thread, process.mm, enclave, data));
    this.secs = enclave.secs;
    this.pages = [0, 1].map((index) => enclave.records.epc(index));
    for (const each of machine.threads) each.startAt(0);
  }

  /** `cpu` begins the leaf at `start`. */
  *leaf(cpu: number, start: number, leaf: LeafId, cost: CostKey, execute: () => number): Routine<void> {
    const { thread } = this.epc.cpus[cpu] as UserCpu;
    thread.waitUntil(start, Cost.COMPUTE);
    const page = leaf === Leaf.ETRACK ? this.secs : (this.pages[leaf === Leaf.EEXTEND ? cpu : 0] as number);
    if (thread.spend(cost) > thread.limit) {
      yield this.epc.hardware.leafAt(page, cpu, leaf, leaf === Leaf.EEXTEND ? this.secs : -1);
    }
    const name = Object.keys(Leaf).find((key) => Leaf[key as keyof typeof Leaf] === leaf) as string;
    this.log.push([cpu, name, thread.clock, execute()]);
  }

  /** ETRACK of the enclave, begun at `start`. */
  etrack(cpu: number, start: number): Routine<void> {
    return this.leaf(cpu, start, Leaf.ETRACK, Cost.ETRACK, () => this.epc.hardware.etrack(cpu, this.secs));
  }

  /** EEXTEND of a page of its own, begun at `start`. */
  eextend(cpu: number, start: number): Routine<void> {
    const page = this.pages[cpu] as number;
    return this.leaf(cpu, start, Leaf.EEXTEND, Cost.EEXTEND, () =>
      this.epc.hardware.eextend(cpu, page, this.secs, 0),
    );
  }

  /** Runs what each CPU does, in the timed world. */
  run(...programs: readonly (readonly Routine<void>[])[]): readonly (readonly unknown[])[] {
    const { machine, cpus } = this.epc;
    for (const [cpu, leaves] of programs.entries()) {
      machine.start(
        (cpus[cpu] as UserCpu).thread,
        (function* () {
          for (const leaf of leaves) yield* leaf;
        })(),
      );
    }
    machine.runTimed();
    return this.log;
  }
}

describe.each([false, true])('leaves of two CPUs that overlap (strict: %s)', (isStrict) => {
  it('of two EEXTENDs of one enclave the one that begins later faults', () => {
    const leaves = new Leaves(isStrict);
    expect(leaves.run([leaves.eextend(0, 0)], [leaves.eextend(1, 100)])).toEqual([
      [0, 'EEXTEND', EEXTEND, SgxCode.SUCCESS],
      [1, 'EEXTEND', 100 + EEXTEND, LeafFault.GP],
    ]);
  });

  it('one that begins when the other one ends meets nothing', () => {
    const leaves = new Leaves(isStrict);
    const log = leaves.run([leaves.eextend(0, 0)], [leaves.eextend(1, EEXTEND)]);
    expect(log.map((entry) => entry[3])).toEqual([SgxCode.SUCCESS, SgxCode.SUCCESS]);
  });

  it('a refused leaf holds nothing: who begins after it meets only the first', () => {
    const leaves = new Leaves(isStrict);
    const log = leaves.run([leaves.eextend(0, 0), leaves.eextend(0, EEXTEND + 50)], [leaves.eextend(1, 100)]);
    expect(log.map((entry) => [entry[0], entry[3]])).toEqual([
      [0, SgxCode.SUCCESS],
      [1, LeafFault.GP],
      [0, SgxCode.SUCCESS],
    ]);
  });

  it('ETRACK during an ETRACK faults, whoever is executed first', () => {
    for (const late of [0, 1]) {
      const leaves = new Leaves(isStrict);
      const early = 1 - late;
      const programs = [0, 1].map((cpu) => [leaves.etrack(cpu, cpu === late ? 300 : 0)]);
      expect(leaves.run(...programs)).toEqual([
        [early, 'ETRACK', ETRACK, SgxCode.SUCCESS],
        [late, 'ETRACK', 300 + ETRACK, LeafFault.GP],
      ]);
    }
  });

  it('leaves that conflict with nothing of each other both succeed', () => {
    const leaves = new Leaves(isStrict);
    const log = leaves.run([leaves.eextend(0, 0)], [leaves.etrack(1, 100)]);
    expect(log.map((entry) => entry[3])).toEqual([SgxCode.SUCCESS, SgxCode.SUCCESS]);
  });

  it('a longer leaf that began before refuses a shorter one that ends before it', () => {
    const leaves = new Leaves(isStrict);
    const page = leaves.pages[0] as number;
    const { hardware } = leaves.epc;
    const remove = leaves.leaf(1, 1000, Leaf.EREMOVE, Cost.EREMOVE, () => hardware.eremove(1, page));
    expect(leaves.run([leaves.eextend(0, 0)], [remove])).toEqual([
      [1, 'EREMOVE', 1000 + ETRACK, LeafFault.GP],
      [0, 'EEXTEND', EEXTEND, SgxCode.SUCCESS],
    ]);
  });

  it('a shorter leaf that began before refuses a longer one that is executed later', () => {
    const leaves = new Leaves(isStrict);
    const page = leaves.pages[0] as number;
    const { hardware } = leaves.epc;
    const remove = leaves.leaf(1, 0, Leaf.EREMOVE, Cost.EREMOVE, () => hardware.eremove(1, page));
    expect(leaves.run([leaves.eextend(0, 100)], [remove])).toEqual([
      [1, 'EREMOVE', ETRACK, SgxCode.SUCCESS],
      [0, 'EEXTEND', 100 + EEXTEND, LeafFault.GP],
    ]);
  });
});

it('no leaf meets another one in the direct world', () => {
  const leaves = new Leaves(false);
  const { machine, cpus } = leaves.epc;
  for (const cpu of [0, 1]) machine.run((cpus[cpu] as UserCpu).thread, leaves.eextend(cpu, 0));
  expect(leaves.log.map((entry) => entry[3])).toEqual([SgxCode.SUCCESS, SgxCode.SUCCESS]);
});

it.each([
  ['an enclave of four threads', [[0, 1, 2, 3]]],
  ['three enclaves, one of them with threads on the CPUs of the others', [[0, 1], [2, 3, 0], [1]]],
])('the native driver, under its locks, never meets a running leaf: %s', (_, placement) => {
  const trace = generateUniform({ runCount: 2000, pageCount: 150, writeShare: 0.3, seed: 5 });
  const refused: string[] = [];
  const listener = leafListener([]);
  const epc = createEpc({
    ...linux6,
    machine: {
      cpus: [{ node: 0 }, { node: 0 }, { node: 0 }, { node: 0 }],
      sections: [{ node: 0, pageCount: 96 + 64 * placement.length }],
    },
    costs: createCostTable(clientCosts, { COMPUTE: 3000 }),
    timed: { sliceCycles: 200_000 },
    probe: {
      ...listener,
      leaf: (cpu, leaf, page, result) => {
        // EWB is repeated after ETRACK and after interrupts: that is the state of tracking, no conflict.
        if (result !== SgxCode.SUCCESS && result !== SgxCode.NOT_TRACKED)
          refused.push(`CPU ${cpu}: leaf ${leaf} of page ${page} gets ${result}`);
      },
    },
  });
  epc.boot();
  for (const [index, [cpu = 0, ...moreCpus]] of placement.entries()) {
    const settings = { name: `E${index}`, trace: '', runs: null, repeat: 1, cpu, moreCpus, measured: true };
    const program = new Program(epc, settings, [trace], () => {});
    for (const member of program.threads) epc.machine.start(member.thread, program.main(member));
  }
  epc.machine.runTimed();
  expect(refused).toEqual([]);
});
