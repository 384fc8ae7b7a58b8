import { PageType, Prot } from '@epckit/interface';
import type { NodePoolsOptions } from '@epckit/numa';
import type { Epc, UserCpu } from 'epckit';
import { createEpc, linux6 } from 'epckit';
import { describe, expect, it } from 'vitest';
import { OldNodeWalk } from '../../../numa/test/museum/old-node-walk.js';
import type { Case } from '../../src/index.js';
import { explore, formatFinding } from '../../src/index.js';

const old: NodePoolsOptions = { createWalk: (parts) => new OldNodeWalk(parts) };

/**
 * CPU 0 is on a node without EPC, and an enclave holds all four EPC pages of node 1. CPU 0 creates another
 * enclave; CPU 1 runs a batch, or nothing.
 */
function fullRemoteNode(pools: NodePoolsOptions, withReclaimer: boolean): Case {
  return {
    name: 'allocation on a node without EPC',
    setup: () => {
      const epc = createEpc({
        ...linux6,
        machine: { cpus: [{ node: 0 }, { node: 1 }], sections: [{ node: 1, pageCount: 4 }] },
        checking: true,
        reclaim: { lowPages: 0, highPages: 0 },
        pools,
      });
      epc.boot();
      fill(epc);
      const [creator, reclaimer] = epc.cpus as [UserCpu, UserCpu];
      const pageCount = 2;
      const range = { pageCount, basePage: epc.driver.chooseBasePage(pageCount), attributes: 4 };
      epc.machine.start(creator.thread, epc.driver.create.run(creator.thread, epc.driver.open(), range));
      if (withReclaimer) epc.machine.start(reclaimer.thread, epc.reclaimer.batch(reclaimer.thread));
      return { machine: epc.machine, state: () => `${epc.pools.free} free` };
    },
  };
}

/** Version array, SECS and two pages. */
function fill(epc: Epc): void {
  const cpu = epc.cpus[1] as UserCpu;
  const { driver, machine } = epc;
  const { mm } = epc.createProcess('X');
  const enclave = driver.open();
  const range = { pageCount: 2, basePage: driver.chooseBasePage(2), attributes: 4 };
  const pages = { page: 0, count: 2, type: PageType.REG, prot: Prot.R | Prot.W, isMeasured: false };
  machine.run(cpu.thread, driver.create.run(cpu.thread, enclave, range));
  machine.run(cpu.thread, driver.addPages.run(cpu.thread, mm, enclave, pages));
  machine.run(cpu.thread, driver.init.run(cpu.thread, enclave, {}));
  expect(epc.pools.free).toBe(0);
}

describe('B-30: the node walk of 5.13 to 6.11', () => {
  it('never ends when the current node has no EPC: found', () => {
    const { finding } = explore(fullRemoteNode(old, false));
    expect(finding).toMatchObject({ kind: 'no-progress' });
    expect(finding?.error.message).toContain('can never go on');
    if (finding !== null) expect(formatFinding(finding)).toContain('acquire node');
  });

  it('is no finding while a reclaimer can still free a page', () => {
    // Each change lets the endless walk make another round, so only a bound keeps the search finite.
    const result = explore(fullRemoteNode(old, true), { strategy: 'dfs', preemptions: 1 });
    expect(result).toMatchObject({ limit: 'preemptions', finding: null });
    expect([...result.finalStates]).toEqual(['1 free']);
  });
});

describe('the repaired walk', () => {
  it.each([false, true])('ends in every interleaving (reclaimer: %s)', (withReclaimer) => {
    const result = explore(fullRemoteNode({}, withReclaimer));
    expect(result).toMatchObject({ status: 'exhausted', finding: null });
  });
});
