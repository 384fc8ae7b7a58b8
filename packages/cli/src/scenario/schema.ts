import { type CostName, costNames } from '@epckit/interface';
import { type CostPresetName, linuxReclaim, type PresetName, presets, runLimits } from 'epckit';
import { z } from 'zod';
import { enclave } from './enclave-schema.js';
import { machine } from './machine-schema.js';
import { onlyOne } from './not-yet.js';
import { duration, durationMeta } from './sized.js';

const presetNames = Object.keys(presets) as PresetName[];
const costTableNames = ['client', 'server'] as const satisfies readonly CostPresetName[];

const pageCount = (defaultPages: number, meaning: string) =>
  z
    .int()
    .min(1)
    .max(2 ** 28)
    .default(defaultPages)
    .describe(meaning);

const reclaim = z
  .strictObject({
    batch: pageCount(linuxReclaim.batchPages, 'pages per reclaim batch'),
    low: pageCount(
      linuxReclaim.lowPages,
      'pages; an allocation that leaves fewer free pages wakes the daemon',
    ),
    high: pageCount(linuxReclaim.highPages, 'pages; the daemon works until this many are free'),
    policy: z.enum(['second-chance']).default('second-chance').describe('how victims are chosen'),
    daemons: onlyOne('reclaim daemons', 'there is one reclaim daemon, on a CPU of its own'),
  })
  .prefault({})
  .describe('the reclaimer');

const overrideOf = (name: CostName) =>
  z.int().min(0).max(runLimits.costCycles).optional().describe(`cycles of ${name}`);

const costOverrides = z.strictObject(
  Object.fromEntries(costNames.map((name) => [name, overrideOf(name)])) as Record<
    CostName,
    z.ZodOptional<z.ZodInt>
  >,
);

const costs = z
  .strictObject({
    table: z.enum(costTableNames).default('client').describe('typical cycles of a client or a server part'),
    overrides: costOverrides.prefault({}).describe('cycles by entry name that differ from the table'),
    clockGhz: z.number().positive().max(100).default(3.5).describe('core clock in GHz, for seconds'),
  })
  .prefault({})
  .describe('what operations cost');

/** A scenario file, key by key; its output has every default but those that depend on other keys. */
export const scenarioSchema = z.strictObject({
  name: z
    .string()
    .min(1)
    .optional()
    .describe('title of the report; the file name without .yaml unless given'),
  preset: z.enum(presetNames).default('epckit').describe('policies and recipes of the kernel'),
  seed: z
    .int()
    .min(0)
    .max(2 ** 32 - 1)
    .default(1)
    .describe('seed of every random choice'),
  horizon: duration.optional().meta({
    ...durationMeta,
    description: 'programs stop at this time; at the end of their traces unless given',
  }),
  machine,
  reclaim,
  costs,
  enclaves: z.array(enclave).min(1).describe('the enclaves, each with a trace of what its program touches'),
});

/** What {@link scenarioSchema} makes of a file. */
export type ScenarioFile = z.output<typeof scenarioSchema>;

/** Returns the JSON Schema of a scenario file, for editors. */
export function scenarioJsonSchema(): Readonly<Record<string, unknown>> {
  const schema = z.toJSONSchema(scenarioSchema, { io: 'input' });
  return { title: 'epckit scenario', ...schema };
}
