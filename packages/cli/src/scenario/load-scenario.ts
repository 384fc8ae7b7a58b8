import { dirname, resolve } from 'node:path';
import { EpckitError } from '@epckit/interface';
import type { Scenario } from 'epckit';
import { readInputFile } from '../input-file.js';
import { type OwnCosts, readCostFile } from './cost-file.js';
import { crossChecks } from './cross-checks.js';
import { scenarioError } from './problem.js';
import { type Generator, generatorsOf, instancesOf, resolveScenario } from './resolve.js';
import { type ScenarioFile, scenarioJsonSchema, scenarioSchema } from './schema.js';
import { type SchemaNode, schemaProblems } from './schema-problems.js';
import { parseYaml, type YamlSource } from './yaml-source.js';

/** A scenario and where it comes from. */
export interface LoadedScenario {
  /** With every default spelled out. */
  readonly scenario: Scenario;
  /** Traces that are made, not read, by the name that the scenario uses. */
  readonly generators: ReadonlyMap<string, Generator>;
  /** Entry of the list in the file that each enclave comes from. */
  readonly entries: readonly number[];
  /** Entry of the list in the file that each virtual machine comes from. */
  readonly vmEntries: readonly number[];
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
  return scenarioOf(await checkScenario(source, path, cwd), source, path, cwd);
}

/** Reads a scenario file without checking its keys. */
export async function readScenario(path: string, cwd: string): Promise<YamlSource> {
  return parseYaml(decodeText(await readInputFile(resolve(cwd, path), path, 'scenario'), path), path);
}

/** A scenario file that has passed all checks, with what it takes from other files. */
export interface CheckedScenario {
  /** Its keys. */
  readonly file: ScenarioFile;
  /** Costs of the file that it names. */
  readonly own: OwnCosts;
}

/**
 * Checks all keys of a scenario, and the file of costs that it names.
 *
 * @throws EpckitError `EPCKIT_SCENARIO` with all problems
 */
export async function checkScenario(source: YamlSource, path: string, cwd: string): Promise<CheckedScenario> {
  const parsed = scenarioSchema.safeParse(source.value);
  if (!parsed.success) {
    const schema: SchemaNode = { ...scenarioJsonSchema(), title: 'A scenario' };
    throw scenarioError(schemaProblems(parsed.error.issues, source.value, schema), source);
  }
  const { data: file } = parsed;
  const folder = dirname(resolve(cwd, path));
  const place = source.locate(['costs', 'file']);
  const name = file.costs.file;
  const own = name === undefined ? {} : await readCostFile(name, folder, cwd, place);
  const problems = crossChecks(file, own);
  if (problems.length > 0) throw scenarioError(problems, source);
  return { file, own };
}

/**
 * Makes a scenario of a file that has passed all checks.
 *
 * @param seed - in place of that of the file
 */
export function scenarioOf(
  { file, own }: CheckedScenario,
  source: YamlSource,
  path: string,
  cwd: string,
  seed: number = file.seed,
): LoadedScenario {
  return {
    scenario: resolveScenario(file, own, path, seed),
    generators: generatorsOf(file, seed),
    entries: file.enclaves.flatMap((enclave, index) => instancesOf(enclave, index).map(() => index)),
    vmEntries: file.vms.flatMap(({ instances }, index) => Array.from({ length: instances }, () => index)),
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
