import { describe, expect, it } from 'vitest';
import { runScenario } from '../../src/index.js';
import { smallEnclave, smallScenario, smallTraces } from './small-scenario.js';

const roomy = {
  machine: {
    cpus: Array.from({ length: 8 }, () => ({ node: 0 })),
    sections: [{ node: 0, pageCount: 2048 }],
  },
};

describe('pages that are added on first touch', () => {
  it('are added once and accepted once, in an EPC that holds them', () => {
    const enclave = smallEnclave('A', 'uniform', 0, { dynamicShare: 1 });
    const report = runScenario(smallScenario([enclave], roomy), smallTraces);
    const { total, faultLatency } = report;
    expect(total).toMatchObject({ accesses: 3000, eadd: 1, eaug: 300, eaccept: 300, eldu: 0, ewb: 0 });
    expect(faultLatency.eaug.count).toBe(300);
    // Exit, fault, EAUG, entry, refill, EACCEPT.
    expect(faultLatency.eaug.p50Cycles).toBeGreaterThan(27_000);
    expect(report.enclaves[0]?.cyclesByCause['EACCEPT']).toBe(300 * 6000);
    expect(report.freePages.last.at(-1)).toBe(2048);
  });

  it('may be a part of the trace', () => {
    const enclave = smallEnclave('A', 'uniform', 0, { dynamicShare: 0.25 });
    const { total } = runScenario(smallScenario([enclave], roomy), smallTraces);
    expect(total).toMatchObject({ eadd: 226, eaug: 75, eaccept: 75 });
  });

  it.each(['linux-6', 'epckit'] as const)('are evicted and loaded as others are: %s', (preset) => {
    const enclaves = [
      smallEnclave('A', 'uniform', 0, { dynamicShare: 1, moreCpus: [1] }),
      smallEnclave('B', 'scan', 2, { dynamicShare: 0.5 }),
    ];
    const scenario = smallScenario(enclaves, { preset });
    const report = runScenario(scenario, smallTraces);
    expect(report.total.accesses).toBe(5000);
    expect(report.total.eaug).toBe(300 + 125);
    expect(report.total.eaccept).toBeGreaterThanOrEqual(425);
    expect(report.total.eldu).toBeGreaterThan(100);
    expect(report.freePages.last.at(-1)).toBe(256);
    expect(JSON.stringify(runScenario(scenario, smallTraces))).toBe(JSON.stringify(report));
  });

  it('with code are made executable', () => {
    const trace = {
      length: 3,
      page: Uint32Array.of(0, 1, 0),
      type: Uint8Array.of(0, 1, 2),
      count: Uint32Array.of(1, 1, 1),
      pageNumber: Float64Array.of(10, 11),
    };
    const enclave = smallEnclave('A', 'code', 0, { dynamicShare: 1 });
    const report = runScenario(smallScenario([enclave], roomy), new Map([['code', trace]]));
    expect(report.total).toMatchObject({ accesses: 3, eaug: 2, eaccept: 2 });
    expect(report.enclaves[0]?.cyclesByCause['EMODPE']).toBe(6000);
  });

  it('need SGX2', () => {
    const enclaves = [smallEnclave('A', 'uniform', 0, { dynamicShare: 1 })];
    const client = { table: 'client', clockGhz: 3.5 } as const;
    const scenario = smallScenario(enclaves, { costs: { ...client, overrides: {} } });
    expect(() => runScenario(scenario, smallTraces)).toThrow(/dynamicShare needs SGX2/);
    const overrides = { EAUG: 10_000, EACCEPT: 10_000, EMODPE: 9000 };
    const given = smallScenario(enclaves, { costs: { ...client, overrides } });
    expect(runScenario(given, smallTraces).total.eaug).toBe(300);
  });
});
