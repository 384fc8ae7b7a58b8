import { existsSync, readdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type RunReport, runScenario, scenarioTraces } from 'epckit';
import { describe, expect, it } from 'vitest';
import { loadScenario } from '../../src/index.js';
import { loadTraces } from '../../src/run/load-traces.js';

const root = fileURLToPath(new URL('../../../..', import.meta.url));
const studies = readdirSync(`${root}/docs/studies`, { withFileTypes: true }).filter((one) =>
  one.isDirectory(),
);
const scenarios = ['scenarios', ...studies.map(({ name }) => `docs/studies/${name}`)].flatMap((folder) =>
  readdirSync(`${root}/${folder}`)
    .filter((name) => name.endsWith('.yaml'))
    .map((name) => `${folder}/${name}`),
);

describe.each(scenarios)('%s', (path) => {
  it('is sound and its traces are there', async () => {
    const { scenario, folder, generators } = await loadScenario(path, root);
    for (const trace of scenarioTraces(scenario)) {
      expect(generators.has(trace) || existsSync(resolve(folder, trace))).toBe(true);
    }
  });

  it('has every cycle in one place', { timeout: 60_000 }, async () => {
    const loaded = await loadScenario(path, root);
    const traces = await loadTraces(loaded, root, () => {});
    // The beginning shows it: programs that are built within the run stop when that is done.
    const report = runScenario({ ...loaded.scenario, horizonCycles: 3_000_000 }, traces);
    expectConserved(report);
  });
});

function expectConserved({ cpus, locks, enclaves, vms = [], ksgxd, cgroups }: RunReport): void {
  const ends = cpus.map(({ idleCycles, cyclesByCause }) => idleCycles + sumOf(cyclesByCause));
  expect(new Set(ends).size).toBe(1);
  const workers = cgroups === undefined ? [] : [cgroups.workers];
  const charged = [...enclaves, ...vms, ksgxd, ...workers].reduce(
    (sum, { cyclesByCause }) => sum + (cyclesByCause['LOCK_WAIT'] ?? 0),
    0,
  );
  expect(locks.reduce((sum, { waitCycles }) => sum + waitCycles, 0)).toBe(charged);
  const byCpu = cpus.reduce((sum, { lockWaitCycles }) => sum + sumOf(lockWaitCycles), 0);
  expect(byCpu).toBe(charged);
}

function sumOf(parts: Readonly<Record<string, number>>): number {
  return Object.values(parts).reduce((sum, part) => sum + part, 0);
}
