import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openOutputFile } from '../../src/output-file.js';
import { parseYaml } from '../../src/scenario/yaml-source.js';

it('refuses to replace a file that the run reads', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'epckit-'));
  const input = join(folder, 'scenario.yaml');
  await writeFile(input, 'name: x\n');
  await expect(openOutputFile('scenario.yaml', folder, [input])).rejects.toMatchObject({
    code: 'EPCKIT_OUTPUT_FILE',
  });
  expect(await readFile(input, 'utf8')).toBe('name: x\n');
});

it('names the file whose alias leads nowhere', () => {
  expect(() => parseYaml('name: *nope\n', 'x.yaml')).toThrow(/^x\.yaml.*not valid YAML/);
});
