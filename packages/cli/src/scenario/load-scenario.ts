import { dirname, resolve } from 'node:path';
import { EpckitError } from '@epckit/interface';
import type { Scenario } from 'epckit';
import { readInputFile } from '../input-file.js';
import { crossChecks } from './cross-checks.js';
import { scenarioError } from './problem.js';
import { type Generator, generatorsOf, resolveScenario } from './resolve.js';
import { type ScenarioFile, scenarioSchema } from './schema.js';
import { schemaProblems } from './schema-problems.js';
import { parseYaml, type YamlSource } from './yaml-source.js';

/** A scenario and where it comes from. */
export interface LoadedScenario {
  /** With every default spelled out. */
  readonly scenario: Scenario;
  /** Traces that are made, not read, by the name that the scenario uses. */
  readonly generators: ReadonlyMap<string, Generator>;
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
  const source = await readScenario(path, cwd);
  return scenarioOf(checkScenario(source), source, path, cwd);
}

/** Reads a scenario file without checking its keys. */
export async function readScenario(path: string, cwd: string): Promise<YamlSource> {
  return parseYaml(decodeText(await readInputFile(resolve(cwd, path), path, 'scenario'), path), path);
}

/**
 * Checks all keys of a scenario.
 *
 * @throws EpckitError `EPCKIT_SCENARIO` with all problems
 */
export function checkScenario(source: YamlSource): ScenarioFile {
  const parsed = scenarioSchema.safeParse(source.value);
  if (!parsed.success) throw scenarioError(schemaProblems(parsed.error.issues, source.value), source);
  const problems = crossChecks(parsed.data);
  if (problems.length > 0) throw scenarioError(problems, source);
  return parsed.data;
}

/**
 * Makes a scenario of a file that has passed all checks.
 *
 * @param seed - in place of that of the file
 */
export function scenarioOf(
  file: ScenarioFile,
  source: YamlSource,
  path: string,
  cwd: string,
  seed: number = file.seed,
): LoadedScenario {
  return {
    scenario: resolveScenario(file, path, seed),
    generators: generatorsOf(file, seed),
    folder: dirname(resolve(cwd, path)),
    source,
  };
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
