import { dirname, resolve } from 'node:path';
import { EpckitError } from '@epckit/interface';
import type { Scenario } from 'epckit';
import { readInputFile } from '../input-file.js';
import { crossChecks } from './cross-checks.js';
import { scenarioError } from './problem.js';
import { resolveScenario } from './resolve.js';
import { scenarioSchema } from './schema.js';
import { schemaProblems } from './schema-problems.js';
import { parseYaml, type YamlSource } from './yaml-source.js';

/** A scenario and where it comes from. */
export interface LoadedScenario {
  /** With every default spelled out. */
  readonly scenario: Scenario;
  /** Folder that trace paths start from. */
  readonly folder: string;
  /** The file, to point at a key whose value turns out to be wrong later. */
  readonly source: YamlSource;
}

/**
 * Reads and checks a scenario file.
 *
 * @param path - as the user gave it; stands in messages
 * @param cwd - folder that a relative path starts from
 * @throws EpckitError `EPCKIT_INPUT_FILE` if it cannot be read, `EPCKIT_SCENARIO` if it is wrong
 */
export async function loadScenario(path: string, cwd: string = process.cwd()): Promise<LoadedScenario> {
  const absolutePath = resolve(cwd, path);
  const text = decodeText(await readInputFile(absolutePath, path, 'scenario'), path);
  const source = parseYaml(text, path);
  const parsed = scenarioSchema.safeParse(source.value);
  if (!parsed.success) throw scenarioError(schemaProblems(parsed.error.issues, source.value), source);
  const problems = crossChecks(parsed.data);
  if (problems.length > 0) throw scenarioError(problems, source);
  return { scenario: resolveScenario(parsed.data, path), folder: dirname(absolutePath), source };
}

function decodeText(bytes: Uint8Array, path: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new EpckitError('EPCKIT_SCENARIO', `${path} is not text in UTF-8.`, [], {
      hint: 'A scenario is a YAML file; is this a trace or an archive?',
      cause,
    });
  }
}
