import { readFileSync } from 'node:fs';
import type { CostName } from '@epckit/interface';
import { COST_COUNT, Cost, costNames } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import type { CostEntry } from '../src/index.js';
import {
  clientCosts,
  costPresets,
  costSources,
  createCostTable,
  describeCosts,
  scaleTransitions,
  serverCosts,
} from '../src/index.js';

type Range = readonly [number, number, number];
const range = ({ min, typical, max }: CostEntry): Range => [min, typical, max];

/** Client and server column of the published table, in its order; one column where both are the same. */
const published: Partial<Record<CostName, readonly [Range, Range?]>> = {
  ECREATE: [
    [15_000, 28_000, 40_000],
    [10_000, 20_000, 35_000],
  ],
  EADD: [
    [6000, 12_000, 15_000],
    [3000, 6000, 11_000],
  ],
  EEXTEND: [
    [3000, 5500, 8000],
    [2000, 4000, 6000],
  ],
  EINIT: [
    [60_000, 88_000, 150_000],
    [40_000, 70_000, 120_000],
  ],
  EREMOVE: [
    [2000, 4500, 6000],
    [1000, 2500, 4500],
  ],
  EAUG: [[3000, 6000, 10_000]],
  EACCEPT: [[3000, 6000, 10_000]],
  EMODT: [[2000, 4000, 6400]],
  EMODPR: [[2500, 5000, 8000]],
  EMODPE: [[3000, 6000, 9600]],
  EPA: [
    [2000, 5000, 8000],
    [1500, 3000, 6000],
  ],
  EBLOCK: [
    [500, 1200, 2000],
    [400, 900, 1600],
  ],
  ETRACK: [
    [300, 800, 2000],
    [300, 600, 1500],
  ],
  EWB: [
    [8000, 14_000, 18_000],
    [6000, 9000, 14_000],
  ],
  ELDU: [
    [7000, 13_000, 16_000],
    [5000, 8000, 12_000],
  ],
  EENTER: [
    [2500, 5500, 12_000],
    [3000, 5000, 8000],
  ],
  EEXIT: [
    [2000, 4500, 8000],
    [2000, 3500, 6000],
  ],
  AEX: [
    [2000, 4000, 8000],
    [2000, 3500, 7000],
  ],
  ERESUME: [
    [2500, 5000, 12_000],
    [3000, 4500, 8000],
  ],
  REFILL: [
    [0, 5000, 20_000],
    [0, 3000, 15_000],
  ],
  FAULT_KERNEL: [[2000, 4000, 8000]],
  BACKING_NEW: [[3000, 8000, 20_000]],
  BACKING_OLD: [[500, 1000, 4000]],
  RECLAIM_SW: [[2000, 5000, 10_000]],
  ADD_SW: [
    [5000, 10_000, 15_000],
    [4000, 6500, 12_000],
  ],
  ADD_USER: [
    [5000, 10_000, 20_000],
    [4000, 8000, 15_000],
  ],
  IPI_FIXED: [[1500, 3000, 6000]],
  IPI_CPU: [[300, 700, 1500]],
  LOCK_FAST: [[15, 25, 60]],
  WAKEUP: [[3000, 10_000, 100_000]],
  CONTEXT_SWITCH: [[2000, 4000, 10_000]],
  LOCK_LOCAL: [[70, 150, 600]],
  LOCK_REMOTE: [[300, 500, 1500]],
  IPI_GUEST: [[20_000, 35_000, 60_000]],
  VM_EXIT: [[1000, 1500, 4000]],
  EPT_VIOLATION: [[1000, 2500, 6000]],
  EWB_REFUSED: [
    [500, 1200, 2000],
    [400, 900, 1600],
  ],
  ERDINFO: [
    [500, 1200, 2000],
    [400, 900, 1600],
  ],
  EINCVIRTCHILD: [
    [500, 1200, 2000],
    [400, 900, 1600],
  ],
  EDECVIRTCHILD: [
    [500, 1200, 2000],
    [400, 900, 1600],
  ],
  ESETCONTEXT: [
    [500, 1200, 2000],
    [400, 900, 1600],
  ],
  NUMA_REMOTE: [
    [0, 0, 0],
    [3000, 5000, 10_000],
  ],
};

const unitsOfTheModel: CostName[] = ['COMPUTE', 'LOCK_WAIT', 'EVENT_WAIT', 'STEP', 'IPI_WAIT', 'CPU_WAIT'];

describe('cost entries', () => {
  it.each(Object.entries(published))('%s is as published', (name, [client, server = client]) => {
    expect(range(clientCosts[name as CostName])).toEqual(client);
    expect(range(serverCosts[name as CostName])).toEqual(server);
  });

  it('that were not published are units of the model', () => {
    expect(costNames.filter((name) => published[name] === undefined)).toEqual(unitsOfTheModel);
    for (const name of unitsOfTheModel) expect(clientCosts[name].grade).toBe('-');
  });

  it('have their typical value between minimum and maximum', () => {
    for (const entries of Object.values(costPresets)) {
      for (const { min, typical, max } of Object.values(entries)) {
        expect(min <= typical && typical <= max).toBe(true);
      }
    }
  });
});

describe('sums that a preset has to reproduce', () => {
  const sum = (table: Float64Array, names: readonly CostName[]): number =>
    names.reduce((cycles, name) => cycles + (table[Cost[name]] as number), 0);
  /** ETRACK and the IPI are paid once for a batch of 16 pages. */
  const batchShare = (table: Float64Array): number => sum(table, ['ETRACK', 'IPI_FIXED', 'IPI_CPU']) / 16;
  const client = createCostTable(clientCosts);
  const server = createCostTable(serverCosts);

  /** The middle of what was observed, and how far a sum may be from it. */
  const within = (micros: number, observed: number): void => {
    expect(Math.abs(micros / observed - 1)).toBeLessThan(0.15);
  };

  it('1: fault on a client, 15.7 to 16.6 µs at 3.5 GHz', () => {
    const fault = sum(client, ['AEX', 'FAULT_KERNEL', 'ELDU', 'BACKING_OLD', 'ERESUME', 'REFILL']);
    const eviction = sum(client, ['EBLOCK', 'EWB', 'RECLAIM_SW', 'BACKING_OLD']) + batchShare(client);
    expect(fault + eviction).toBeCloseTo(53_481, 0);
    within((fault + eviction) / 3500, 16.15);
  });

  it('2: build on a server, 4.63 µs of kernel and 7.10 µs in all at 3.2 GHz', () => {
    const kernel = sum(server, ['EADD', 'ADD_SW', 'EREMOVE']);
    expect(kernel).toBe(15_000);
    within(kernel / 3200, 4.63);
    within((kernel + sum(server, ['ADD_USER'])) / 3200, 7.1);
  });

  it('3: build on a client without paging, 6.79 µs of kernel at 3.8 GHz', () => {
    const kernel = sum(client, ['EADD', 'ADD_SW', 'EREMOVE']);
    expect(kernel).toBe(26_500);
    within(kernel / 3800, 6.79);
  });

  it('4: an eviction while building on a client, 8.0 µs of kernel at 3.8 GHz', () => {
    const eviction = sum(client, ['EBLOCK', 'EWB', 'BACKING_NEW', 'RECLAIM_SW']) + batchShare(client);
    within(eviction / 3800, 8);
  });
});

describe('a cost table', () => {
  it('has the typical values, of the client unless told otherwise', () => {
    expect(createCostTable()).toHaveLength(COST_COUNT);
    expect(createCostTable()[Cost.EWB]).toBe(14_000);
    expect(createCostTable(serverCosts)[Cost.EWB]).toBe(9000);
  });

  it('takes single entries of its own', () => {
    const table = createCostTable(clientCosts, { EWB: 1, IPI_CPU: 0 });
    expect([table[Cost.EWB], table[Cost.IPI_CPU], table[Cost.ELDU]]).toEqual([1, 0, 13_000]);
  });

  it.each(['ewb', 'EWBX', 'constructor', 'toString', '__proto__'])('refuses the unknown entry %s', (name) => {
    const overrides = JSON.parse(`{"${name}": 5}`) as Record<string, number>;
    expect(() => createCostTable(clientCosts, overrides)).toThrow(
      expect.objectContaining({ code: 'EPCKIT_MISUSE', message: `There is no cost entry '${name}'.` }),
    );
  });

  it.each([-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY])('refuses %d cycles', (cycles) => {
    expect(() => createCostTable(clientCosts, { EWB: cycles })).toThrow(`not ${cycles}.`);
  });
});

/** Grade letters of the published table; the second where the parts differ. */
const grades: Partial<Record<CostName, readonly [string, string?]>> = {
  ECREATE: ['C,E'],
  EADD: ['C'],
  EEXTEND: ['C,E'],
  EINIT: ['C,E'],
  EREMOVE: ['C,E'],
  EAUG: ['C,E'],
  EACCEPT: ['C,E'],
  EMODT: ['C,E'],
  EMODPR: ['C,E'],
  EMODPE: ['C,E'],
  EPA: ['E'],
  EBLOCK: ['E'],
  ETRACK: ['E'],
  EWB: ['C,E'],
  ELDU: ['E'],
  EENTER: ['A,C'],
  EEXIT: ['A,C'],
  AEX: ['E'],
  ERESUME: ['E'],
  REFILL: ['E'],
  FAULT_KERNEL: ['E'],
  BACKING_NEW: ['D,E'],
  BACKING_OLD: ['E'],
  RECLAIM_SW: ['B'],
  ADD_SW: ['B'],
  ADD_USER: ['B'],
  IPI_FIXED: ['A'],
  IPI_CPU: ['A'],
  IPI_GUEST: ['D'],
  VM_EXIT: ['E'],
  EPT_VIOLATION: ['E'],
  EWB_REFUSED: ['E'],
  ERDINFO: ['E'],
  EINCVIRTCHILD: ['E'],
  EDECVIRTCHILD: ['E'],
  ESETCONTEXT: ['E'],
  LOCK_FAST: ['D'],
  LOCK_LOCAL: ['C,D'],
  LOCK_REMOTE: ['C,D'],
  WAKEUP: ['E'],
  CONTEXT_SWITCH: ['E'],
  NUMA_REMOTE: ['-', 'E'],
};

describe('the description of a cost table', () => {
  it.each(Object.entries(grades))('grades %s as published', (name, [client, server = client]) => {
    expect(clientCosts[name as CostName].grade).toBe(client);
    expect(serverCosts[name as CostName].grade).toBe(server);
  });

  it('covers every entry that was published', () => {
    expect(Object.keys(grades).sort()).toEqual(Object.keys(published).sort());
  });

  it('lists cycles, range, source and status of each entry in order of the keys', () => {
    const lines = describeCosts(serverCosts);
    expect(lines.map(({ name }) => name)).toEqual(costNames);
    expect(lines.map(({ cycles }) => cycles)).toEqual([...createCostTable(serverCosts)]);
    expect(lines[Cost.EWB]).toEqual({
      key: Cost.EWB,
      name: 'EWB',
      cycles: 9000,
      min: 6000,
      max: 14_000,
      grade: 'C,E',
      status: 'assumption',
      source: "Eleos (EuroSys'17): 12,000 per page when batched; rest estimate",
    });
    for (const { source } of lines) expect(source).not.toBe('');
  });

  it('takes the weakest grade for the status', () => {
    const statusOf = (name: CostName) => describeCosts(clientCosts)[Cost[name]]?.status;
    expect([statusOf('IPI_FIXED'), statusOf('ADD_SW'), statusOf('EADD'), statusOf('EENTER')]).toEqual([
      'published',
      'computed',
      'unconfirmed',
      'unconfirmed',
    ]);
    expect([statusOf('LOCK_FAST'), statusOf('ETRACK'), statusOf('STEP')]).toEqual([
      'measured',
      'assumption',
      'model',
    ]);
  });

  it('marks what the user gives, also where it is the value of the preset', () => {
    const lines = describeCosts(clientCosts, { EWB: 14_000, ELDU: 1 });
    const users = lines.filter(({ status }) => status === 'user');
    expect(users.map(({ name, cycles, source }) => [name, cycles, source])).toEqual([
      ['EWB', 14_000, 'given by the user'],
      ['ELDU', 1, 'given by the user'],
    ]);
    expect(() => describeCosts(clientCosts, { EWBX: 1 })).toThrow("There is no cost entry 'EWBX'.");
  });

  it('of entries for other microcode has only the transitions multiplied', () => {
    const scaled = scaleTransitions(clientCosts, 2.25);
    const changed = costNames.filter((name) => scaled[name].typical !== clientCosts[name].typical);
    expect(changed).toEqual(['EENTER', 'EEXIT', 'AEX', 'ERESUME']);
    expect(range(scaled.EENTER)).toEqual([5625, 12_375, 27_000]);
    expect(() => scaleTransitions(clientCosts, 0)).toThrow('not 0.');
  });
});

describe('README', () => {
  // Columns are aligned with blanks.
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8').replace(/ +/g, ' ');
  const text = ({ min, typical, max }: CostEntry): string =>
    [min, typical, max].map((cycles) => cycles.toLocaleString('en')).join(' / ');

  it.each(costNames)('shows %s as it is', (name) => {
    const row = readme.split('\n').find((line) => line.startsWith(`| \`${name}\` |`)) ?? 'no row';
    expect(row).toContain(costSources[name]);
    if (unitsOfTheModel.includes(name)) return expect(row).toContain('| - |');
    expect(row).toContain(`| ${text(clientCosts[name])} | ${text(serverCosts[name])} |`);
    expect(row).toContain(clientCosts[name].grade);
  });
});
