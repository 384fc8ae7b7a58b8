import { existsSync, readdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { loadScenario } from '../../src/index.js';

const folder = fileURLToPath(new URL('../../../../scenarios', import.meta.url));

it.each(readdirSync(folder))('scenarios/%s is sound and its traces are there', async (name) => {
  const loaded = await loadScenario(name, folder);
  for (const { trace } of loaded.scenario.enclaves) {
    expect(existsSync(resolve(loaded.folder, trace))).toBe(true);
  }
});
