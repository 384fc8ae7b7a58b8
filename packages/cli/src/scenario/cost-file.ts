import { resolve } from 'node:path';
import { type CostName, costNames, EpckitError } from '@epckit/interface';
import { type OwnCost, runLimits } from 'epckit';
import { z } from 'zod';
import { describeSystemError, readInputFile, shownPath } from '../input-file.js';
import { type Problem, scenarioError } from './problem.js';
import { type SchemaNode, schemaProblems } from './schema-problems.js';
import { parseYaml, type YamlSource } from './yaml-source.js';

const cycles = (meaning: string) => z.int().min(0).max(runLimits.costCycles).describe(meaning);

const entry = z.strictObject({
  typical: cycles('cycles that are typical'),
  min: cycles('smallest plausible cycles; typical unless given').optional(),
  max: cycles('largest plausible cycles; typical unless given').optional(),
  grade: z
    .enum(['A', 'B', 'C', 'D', 'E'])
    .optional()
    .describe(
      'A stated by public text, B computed from published data, C quoted and unconfirmed, D measured elsewhere, E estimate',
    ),
  source: z.string().min(1).optional().describe('where the numbers come from'),
});

const costOf = (name: CostName) =>
  z
    .union([cycles(`cycles of ${name}`), entry])
    .optional()
    .describe(`cycles of ${name}, or a mapping with typical, min, max, grade and source`);

/** A file with costs of one's own: entries by name. */
const costFileSchema = z.strictObject(
  Object.fromEntries(costNames.map((name) => [name, costOf(name)])) as Record<
    CostName,
    ReturnType<typeof costOf>
  >,
);

/** Costs of one's own, by name of the entry. */
export type OwnCosts = Readonly<Record<string, OwnCost>>;

/** Returns the JSON Schema of a file with costs, for editors. */
export function costFileJsonSchema(): Readonly<Record<string, unknown>> {
  return { title: 'A file with costs', ...z.toJSONSchema(costFileSchema, { io: 'input' }) };
}

/**
 * Reads the file that `costs.file` of a scenario names.
 *
 * @param name - as the scenario has it; starts from `folder`
 * @param place - of the key, for messages
 * @throws EpckitError `EPCKIT_SCENARIO` if it is not there or wrong
 */
export async function readCostFile(
  name: string,
  folder: string,
  cwd: string,
  place: string,
): Promise<OwnCosts> {
  const path = resolve(folder, name);
  const shown = shownPath(path, cwd);
  const source = parseYaml(new TextDecoder().decode(await readAt(path, shown, place)), shown);
  const value = source.value ?? {};
  const parsed = costFileSchema.safeParse(value);
  if (!parsed.success) {
    const schema: SchemaNode = costFileJsonSchema();
    throw scenarioError(schemaProblems(parsed.error.issues, value, schema), source);
  }
  return ownCosts(parsed.data, source);
}

async function readAt(path: string, shown: string, place: string): Promise<Uint8Array> {
  try {
    return await readInputFile(path, shown, 'cost');
  } catch (cause) {
    if (!(cause instanceof EpckitError)) throw cause;
    const reason = describeSystemError(cause.cause) ?? 'it cannot be read';
    throw new EpckitError('EPCKIT_SCENARIO', `${place}: ${shown} cannot be read: ${reason}.`, [], {
      hint: 'Check the path; it starts from the folder of the scenario file.',
      cause,
    });
  }
}

function ownCosts(file: z.output<typeof costFileSchema>, source: YamlSource): OwnCosts {
  const problems: Problem[] = [];
  const own = Object.entries(file).flatMap(([name, given]): [string, OwnCost][] => {
    if (given === undefined) return [];
    const cost = ownCost(given);
    if (cost.min <= cost.typical && cost.typical <= cost.max) return [[name, cost]];
    const message = `${name} has min ${cost.min}, typical ${cost.typical} and max ${cost.max}.`;
    problems.push({ path: [name], at: 'key', message, hint: 'Give min ≤ typical ≤ max.' });
    return [];
  });
  if (problems.length > 0) throw scenarioError(problems, source);
  return Object.fromEntries(own);
}

function ownCost(given: number | z.output<typeof entry>): OwnCost {
  if (typeof given === 'number') return { min: given, typical: given, max: given, grade: null, source: null };
  const { typical, min = typical, max = typical, grade = null, source = null } = given;
  return { min, typical, max, grade, source };
}
