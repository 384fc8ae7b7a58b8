import { checkEnclaves } from '@epckit/enclave';
import { checkFrames } from '@epckit/frames';
import { checkEpcm } from '@epckit/hardware';
import { Cost, Leaf, NONE } from '@epckit/interface';
import type { TimedOptions } from '@epckit/machine';
import { checkPools } from '@epckit/numa';
import { generateUniform } from '@epckit/trace';
import { describe, expect, it } from 'vitest';
import type { Epc } from '../src/index.js';
import { createEpc, linux6, Program } from '../src/index.js';
import { leafListener } from './mapped-enclave.js';

const sliceCycles = 100_000;
const trace = generateUniform({ runCount: 1500, pageCount: 100, writeShare: 0.3, seed: 3 });

interface Run {
  readonly epc: Epc;
  readonly programs: readonly Program[];
  /** Leaves in order of execution. */
  readonly leaves: readonly number[];
}

/** Enclaves whose only threads share CPU 0; `pageCount` pages of EPC. */
function run(enclaves: number, pageCount: number, timed: TimedOptions = {}): Run {
  const leaves: number[] = [];
  const epc = createEpc({
    ...linux6,
    machine: { cpus: [{ node: 0 }, { node: 0 }], sections: [{ node: 0, pageCount }] },
    probe: leafListener(leaves),
    timed: { sliceCycles, ...timed },
  });
  epc.machine.costs[Cost.COMPUTE] = 2000;
  epc.boot();
  const programs = Array.from({ length: enclaves }, (_, index) => {
    const settings = {
      name: `E${index}`,
      trace: '',
      runs: null,
      repeat: 1,
      cpu: 0,
      measured: false,
    } as const;
    const program = new Program(epc, settings, [trace], () => {});
    epc.machine.run(program.thread, program.construct());
    epc.machine.returnToUser();
    return program;
  });
  const began = Math.max(...epc.machine.threads.map(({ clock }) => clock));
  for (const thread of epc.machine.threads) thread.startAt(began);
  leaves.length = 0;
  for (const program of programs) epc.machine.start(program.thread, program.main(program.threads[0], began));
  epc.machine.runTimed();
  return { epc, programs, leaves };
}

function countOf(leaves: readonly number[], leaf: number): number {
  return leaves.filter((other) => other === leaf).length;
}

describe('two enclaves whose threads share a CPU', () => {
  it('get equal shares of it', () => {
    const { programs, epc } = run(2, 600);
    const [first, second] = programs.map(({ thread }) => thread) as [Program['thread'], Program['thread']];
    expect(first.cpu).toBe(second.cpu);
    expect(first.id).not.toBe(second.id);
    // Who begins second ends second, a slice and its share of the switches later.
    expect(second.clock - first.clock).toBeLessThan(2 * sliceCycles);
    const waits = [first, second].map(({ cycles }) => cycles[Cost.CPU_WAIT] as number);
    expect(Math.abs((waits[0] as number) - (waits[1] as number))).toBeLessThan(2 * sliceCycles);
    expect(epc.machine.schedulerCounts.switches).toBeGreaterThan(40);
  });

  it('are thrown out by the switch, and come back by ERESUME', () => {
    const { epc, leaves } = run(2, 600);
    const exits = countOf(leaves, Leaf.AEX);
    // Nothing is evicted: pages fault once each, and the rest are switches.
    expect(exits).toBeGreaterThan(2 * trace.pageNumber.length + 40);
    expect(countOf(leaves, Leaf.ERESUME)).toBe(exits);
    expect(countOf(leaves, Leaf.EEXIT)).toBe(2);
    for (const cpu of epc.cpus) expect([cpu.isInside, epc.hardware.insideOf(cpu.id)]).toEqual([false, NONE]);
    const charged = epc.machine.timeOf(0).cycles;
    expect(charged[Cost.AEX]).toBe(exits * (epc.machine.costs[Cost.AEX] as number));
  });

  it.each([false, true])(
    'leave everything consistent when pages are evicted meanwhile (strict: %s)',
    (isStrict) => {
      const { epc, leaves, programs } = run(3, 160, { isStrict });
      expect(countOf(leaves, Leaf.EWB)).toBeGreaterThan(200);
      expect(programs.map(({ accesses }) => accesses)).toEqual(programs.map(() => 1500));
      const { frames, driver, hardware, pools } = epc;
      const broken = [
        ...checkFrames(frames),
        ...checkPools(pools, frames),
        ...checkEpcm(hardware),
        ...checkEnclaves(driver, frames, hardware, epc.hasLostPower),
      ];
      expect(broken).toEqual([]);
      // Exits may lag: they have their place in time, not in the order of execution.
      const inOrder = (all: readonly number[]) => all.filter((leaf) => leaf !== Leaf.AEX);
      expect(inOrder(leaves)).toEqual(inOrder(run(3, 160, { isStrict: true }).leaves));
    },
  );
});

it('kernel threads of a shared CPU throw threads out, too', () => {
  const { epc } = run(1, 90);
  const daemon = epc.ksgxd;
  expect(daemon.cycles[Cost.EWB]).toBeGreaterThan(0);
});
