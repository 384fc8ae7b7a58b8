import { Cost } from '@epckit/interface';
import { clientCosts, serverCosts } from '@epckit/machine';
import { describe, expect, it } from 'vitest';
import type { ScenarioCosts } from '../../src/index.js';
import { runScenario } from '../../src/index.js';
import { costReports, costTableOf } from '../../src/run/costs.js';
import { smallEnclave, smallScenario, smallTraces } from './small-scenario.js';

const costs = (more: Partial<ScenarioCosts> = {}): ScenarioCosts => {
  return { table: 'client', overrides: {}, clockGhz: 3.5, ...more };
};
const report = (more: Partial<ScenarioCosts>, name: string) =>
  costReports(costs(more)).find((one) => one.name === name);

describe('the costs of a scenario', () => {
  it('are minimum, typical or maximum of a table', () => {
    expect(costTableOf(costs())[Cost.EWB]).toBe(14_000);
    expect(costTableOf(costs({ level: 'minimum' }))[Cost.EWB]).toBe(clientCosts.EWB.min);
    expect(costTableOf(costs({ table: 'server', level: 'maximum' }))[Cost.EWB]).toBe(serverCosts.EWB.max);
  });

  it('multiply the four transitions for later microcode, and nothing else', () => {
    const plain = costTableOf(costs());
    const slow = costTableOf(costs({ microcode: 2.25 }));
    const changed = [...plain].flatMap((cycles, key) => (slow[key] === cycles ? [] : [key]));
    expect([...changed].sort((a, b) => a - b)).toEqual(
      [Cost.EENTER, Cost.EEXIT, Cost.AEX, Cost.ERESUME].sort((a, b) => a - b),
    );
    expect(slow[Cost.AEX]).toBe(9000);
    expect(costTableOf(costs({ microcode: 2, overrides: { AEX: 10 } }))[Cost.AEX]).toBe(10);
  });

  it('take entries of one’s own, at the level that is asked for', () => {
    const own = { EWB: { min: 1, typical: 2, max: 3, grade: 'A', source: 'a manual' } } as const;
    expect(costTableOf(costs({ own }))[Cost.EWB]).toBe(2);
    expect(costTableOf(costs({ own, level: 'maximum' }))[Cost.EWB]).toBe(3);
    expect(costTableOf(costs({ own, overrides: { EWB: 9 } }))[Cost.EWB]).toBe(9);
    expect(() => costTableOf(costs({ own: { EVB: own.EWB } }))).toThrow(/no cost entry 'EVB'/);
  });

  it('say which of them are assumptions, and why', () => {
    expect(report({}, 'ELDU')).toMatchObject({ grade: 'E', isAssumption: true });
    expect(report({}, 'EENTER')).toMatchObject({ grade: 'A,C', isAssumption: true });
    expect(report({}, 'IPI_CPU')).toMatchObject({ grade: 'A', isAssumption: false });
    expect(report({}, 'ADD_SW')).toMatchObject({ grade: 'B', isAssumption: false });
    expect(report({}, 'COMPUTE')).toMatchObject({ grade: '-', isAssumption: false });
    expect(report({}, 'LOCK_WAIT')).toBeUndefined();
    expect(report({ overrides: { IPI_CPU: 5 } }, 'IPI_CPU')).toEqual({
      ...{ name: 'IPI_CPU', cycles: 5, min: 5, max: 5, grade: null },
      ...{ source: 'given by the user', isAssumption: true },
    });
  });

  it('say where entries of one’s own come from', () => {
    const entry = { min: 1, typical: 2, max: 3 };
    const file = 'mine.yaml';
    const known = { ELDU: { ...entry, grade: 'A', source: 'a manual' } } as const;
    expect(report({ file, own: known }, 'ELDU')).toEqual({
      ...{ name: 'ELDU', cycles: 2, min: 1, max: 3, grade: 'A' },
      ...{ source: 'mine.yaml: a manual', isAssumption: false },
    });
    const unknown = { ELDU: { ...entry, grade: null, source: null } };
    expect(report({ file, own: unknown }, 'ELDU')).toMatchObject({
      grade: null,
      source: 'mine.yaml: no source given',
      isAssumption: true,
    });
  });

  it('are what the run charges', () => {
    const run = (more: Partial<ScenarioCosts>) =>
      runScenario(smallScenario([smallEnclave('A', 'uniform', 0)], { costs: costs(more) }), smallTraces);
    const typical = run({});
    const slow = run({ level: 'maximum' });
    expect(typical.costs).toEqual(costReports(costs()));
    expect(slow.enclaves[0]?.runCycles).toBeGreaterThan(typical.enclaves[0]?.runCycles as number);
    const causes = slow.enclaves[0]?.cyclesByCause as Readonly<Record<string, number>>;
    expect((causes['ELDU'] as number) % clientCosts.ELDU.max).toBe(0);
  });

  it('charge a target of an interrupt more where it traps', () => {
    const enclaves = [smallEnclave('A', 'uniform', 0, { moreCpus: [1] })];
    const compute = { COMPUTE: 20_000 };
    const [bare, trapped] = (['bare-metal', 'trapped'] as const).map((ipi) =>
      runScenario(smallScenario(enclaves, { costs: costs({ ipi, overrides: compute }) }), smallTraces),
    );
    const busy = (one: typeof bare, cause: string) =>
      [...(one?.enclaves ?? []), one?.ksgxd].reduce((sum, all) => sum + (all?.cyclesByCause[cause] ?? 0), 0);
    expect(busy(bare, 'IPI_CPU')).toBeGreaterThan(0);
    expect(busy(bare, 'IPI_GUEST')).toBe(0);
    expect(busy(trapped, 'IPI_CPU')).toBe(0);
    expect(busy(trapped, 'IPI_GUEST')).toBeGreaterThan(0);
  });

  it.each([
    ['costs.microcode', { microcode: 0 }],
    ['costs.microcode', { microcode: 101 }],
    ['costs.own.EWB', { own: { EWB: { min: 1, typical: 2, max: 2e9, grade: null, source: null } } }],
  ] as const)('refuse %s out of range', (key, more) => {
    const scenario = smallScenario([smallEnclave('A', 'uniform', 0)], { costs: costs(more) });
    expect(() => runScenario(scenario, smallTraces)).toThrow(`${key} is out of range`);
  });
});
