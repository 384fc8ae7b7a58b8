import { checkEnclaves } from '@epckit/enclave';
import { checkFrames } from '@epckit/frames';
import { Cost, NONE } from '@epckit/interface';
import { checkPools } from '@epckit/numa';
import { describe, expect, it } from 'vitest';
import type { EpcOptions, ReclaimSettings } from '../src/index.js';
import { createEpc, epckit, linux6, runScenario } from '../src/index.js';
import { smallEnclave, smallScenario, smallTraces } from './run/small-scenario.js';

const machine: EpcOptions['machine'] = {
  cpus: [{ node: 0 }, { node: 0 }, { node: 1 }],
  sections: [
    { node: 0, pageCount: 32 },
    { node: 1, pageCount: 32 },
  ],
};

/** Name, CPU and node of each daemon, and how many CPUs there are. */
function daemonsOf(reclaim: Partial<ReclaimSettings>, where = machine) {
  const epc = createEpc({ ...linux6, machine: where, reclaim });
  return [
    ...epc.daemons.map(({ name, cpu, node }) => `${name} ${cpu}/${node}`),
    `of ${epc.machine.cpuCount}`,
  ];
}

describe('the daemons of a stack', () => {
  it.each<[Partial<ReclaimSettings>, string[]]>([
    [{}, ['ksgxd 3/0', 'of 4']],
    [{ daemons: 3 }, ['ksgxd0 3/0', 'ksgxd1 4/1', 'ksgxd2 5/0', 'of 6']],
    [{ daemonPlacement: 'shared' }, ['ksgxd 0/0', 'of 3']],
    [
      { daemons: 4, daemonPlacement: 'shared' },
      ['ksgxd0 0/0', 'ksgxd1 1/0', 'ksgxd2 2/1', 'ksgxd3 0/0', 'of 3'],
    ],
    [{ daemonNodes: 'perNode' }, ['ksgxd0 3/0', 'ksgxd1 4/1', 'of 5']],
    [{ daemonNodes: 'perNode', daemons: 2, daemonPlacement: 'shared' }, ['ksgxd0 0/0', 'ksgxd1 2/1', 'of 3']],
  ])('with %o', (reclaim, expected) => {
    expect(daemonsOf(reclaim)).toEqual(expected);
  });

  it('of a node without CPUs share the first one', () => {
    const where = { ...machine, cpus: [{ node: 0 }] };
    const reclaim = { daemonNodes: 'perNode', daemonPlacement: 'shared' } as const;
    expect(daemonsOf(reclaim, where)).toEqual(['ksgxd0 0/0', 'ksgxd1 0/0', 'of 1']);
  });

  it.each<Partial<ReclaimSettings>>([
    { daemons: 0 },
    { daemons: 1.5 },
    { daemons: 3, daemonNodes: 'perNode' },
  ])('are refused: %o', (reclaim) => {
    expect(() => daemonsOf(reclaim)).toThrowError(expect.objectContaining({ code: 'EPCKIT_MISUSE' }));
  });

  it('sleep after the boot, in which the first has cleaned the EPC', () => {
    const epc = createEpc({ ...linux6, machine, reclaim: { daemons: 3 } });
    epc.boot();
    expect([epc.pools.free, epc.ksgxd]).toEqual([64, epc.daemons[0]]);
    expect(epc.daemons.map(({ isEnabled }) => isEnabled)).toEqual([false, false, false]);
  });
});

describe('a run with daemons', () => {
  const enclaves = [
    smallEnclave('a', 'uniform', 0, { runs: 600 }),
    smallEnclave('b', 'scan', 4, { runs: 600 }),
  ];
  const twoNodes = {
    cpus: Array.from({ length: 8 }, (_, cpu) => ({ node: cpu >> 2 })),
    sections: [
      { node: 0, pageCount: 96 },
      { node: 1, pageCount: 96 },
    ],
    // A daemon gets a CPU that it shares at the end of a slice; faults that need a page spin until then.
    sliceCycles: 50_000,
  };

  it.each<Partial<ReclaimSettings>>([
    {},
    { daemons: 2 },
    { daemons: 4 },
    { daemons: 2, daemonPlacement: 'shared' },
    { daemonNodes: 'perNode' },
    { daemonNodes: 'perNode', daemonPlacement: 'shared' },
  ])('%o ends, the same each time', (daemons) => {
    const reclaim = {
      batchPages: 16,
      lowPages: 32,
      highPages: 64,
      policy: 'second-chance',
      ...daemons,
    } as const;
    const scenario = smallScenario(enclaves, { machine: twoNodes, reclaim });
    const first = JSON.stringify(runScenario(scenario, smallTraces));
    expect(JSON.stringify(runScenario(scenario, smallTraces))).toBe(first);
  });
});

describe('a daemon on the CPU of a user thread', () => {
  it('throws it out of its enclave while it works', () => {
    const epc = createEpc({
      ...linux6,
      machine: { cpus: [{ node: 0 }], sections: [{ node: 0, pageCount: 16 }] },
      reclaim: { batchPages: 4, lowPages: 2, highPages: 6, daemonPlacement: 'shared' },
    });
    epc.boot();
    const [cpu] = epc.cpus as [(typeof epc.cpus)[0]];
    const { thread } = cpu;
    const { driver, machine: runner } = epc;
    const process = epc.createProcess('P');
    runner.run(thread, cpu.load(process));
    const enclave = driver.open();
    const create = { pageCount: 16, basePage: driver.chooseBasePage(16), attributes: 4 };
    const data = { page: 0, count: 9, type: 2, prot: 3, isMeasured: false } as const;
    const tcs = { page: 9, count: 1, type: 1, prot: 0, isMeasured: false } as const;
    runner.run(thread, driver.create.run(thread, enclave, create));
    for (const argument of [data, tcs]) {
      runner.run(thread, driver.addPages.run(thread, process.mm, enclave, argument));
    }
    runner.run(thread, driver.init.run(thread, enclave, {}));
    runner.run(thread, driver.mapper.map(thread, process.mm, enclave, { start: 0, end: 16, prot: 3 }));
    for (const page of [9]) {
      const mm = process.mm;
      runner.run(
        thread,
        (function* fault() {
          while (mm.lock.mustWaitRead(thread)) yield mm.lock.acquireRead;
          const vma = mm.table(enclave.id)?.vmaOf(page);
          if (vma !== undefined) yield* driver.faults.fault(thread, mm, vma, enclave, page);
          mm.lock.releaseRead(thread);
        })(),
      );
    }
    runner.run(thread, cpu.enter(enclave, 9));
    expect(cpu.isInside).toBe(true);
    const warned: boolean[] = [];
    const write = epc.hardware.ewb.bind(epc.hardware);
    epc.hardware.ewb = (...operands) => {
      warned.push(cpu.isInside);
      return write(...operands);
    };
    epc.reclaimer.wakeUp(thread);
    runner.runKernelThreads();
    expect(warned.length).toBeGreaterThan(0);
    expect(warned).not.toContain(true);
    expect([checkEnclaves(driver, epc.frames, epc.hardware), checkFrames(epc.frames)]).toEqual([[], []]);
    expect(checkPools(epc.pools, epc.frames)).toEqual([]);
  });
});

describe('distances', () => {
  const distances = [
    [10, 32],
    [32, 10],
  ];

  it.each<[readonly (readonly number[])[], RegExp]>([
    [[[10]], /does not know node 1/],
    [[[10, 20]], /square/],
    [
      [
        [10, 9],
        [20, 10],
      ],
      /from node 0 to node 1 is impossible/,
    ],
  ])('%o are refused', (bad, message) => {
    expect(() => createEpc({ ...linux6, machine: { ...machine, distances: bad } })).toThrowError(message);
  });

  it('decide about the next node under epckit, and not under linux-6', () => {
    const nodes = [epckit, linux6].map((preset) => {
      const far = [
        [10, 40, 20],
        [40, 10, 30],
        [20, 30, 10],
      ];
      const sections = [1, 2].map((node) => ({ node, pageCount: 32 }));
      const epc = createEpc({ ...preset, machine: { cpus: [{ node: 0 }], sections, distances: far } });
      epc.boot();
      const [{ thread }] = epc.cpus as [(typeof epc.cpus)[0]];
      return epc.frames.node(epc.machine.run(thread, epc.pools.take(thread)));
    });
    expect(nodes).toEqual([2, 1]);
  });

  it.each([
    [undefined, 5000],
    [distances, 10_000],
    [
      [
        [10, 21],
        [21, 10],
      ],
      5000,
    ],
  ])('%o make a page of the other node cost so much more', (given, expected) => {
    const costs = new Float64Array(64);
    costs[Cost.NUMA_REMOTE] = 5000;
    const far = given === undefined ? {} : { distances: given };
    const epc = createEpc({ ...linux6, costs, machine: { ...machine, ...far } });
    epc.boot();
    const spent = [0, 2].map((cpu) => {
      const { thread } = epc.cpus[cpu] as (typeof epc.cpus)[0];
      const page = epc.machine.run(thread, epc.pools.take(thread));
      const other = epc.frames.node(page) === 0 ? 2 : 0;
      const remote = (epc.cpus[other] as (typeof epc.cpus)[0]).thread;
      function* pages() {
        epc.hardware.ewb(remote.cpu, page, page, 0, {} as never);
        yield* [];
      }
      epc.machine.run(remote, pages());
      return remote.cycles[Cost.NUMA_REMOTE];
    });
    expect(spent).toEqual([expected, expected]);
  });
});

it('a page is charged to nobody in a stack without a controller', () => {
  const epc = createEpc({ ...linux6, machine });
  epc.boot();
  expect(epc.frames.group(0)).toBe(NONE);
});
