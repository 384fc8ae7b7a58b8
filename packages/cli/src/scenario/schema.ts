import { type CostName, costNames } from '@epckit/interface';
import { type CostPresetName, linuxReclaim, type PresetName, presets, runLimits } from 'epckit';
import { z } from 'zod';
import { EPC_SIZE_PATTERN, parseEpcSize } from './epc-size.js';

const MAX_CPUS = 1024;
const MAX_NODE = 1023;
/** As many as Linux uses (`SGX_MAX_EPC_SECTIONS`); it would ignore further ones. */
const MAX_SECTIONS = 8;

const presetNames = Object.keys(presets) as PresetName[];
const costTableNames = ['client', 'server'] as const satisfies readonly CostPresetName[];

/** A size with unit in the file, a number of pages in the result. */
const epcSize = z.unknown().transform((value, context): number => {
  const size = parseEpcSize(value);
  if ('pageCount' in size) return size.pageCount;
  context.issues.push({ code: 'custom', message: size.problem, params: { hint: size.hint }, input: value });
  return z.NEVER;
});

const sizeMeta = { type: 'string', pattern: EPC_SIZE_PATTERN, examples: ['8MiB', '2048 pages'] };

const pageCount = (defaultPages: number, meaning: string) =>
  z
    .int()
    .min(1)
    .max(2 ** 28)
    .default(defaultPages)
    .describe(meaning);

const machine = z
  .strictObject({
    cpus: z
      .union([
        z.int().min(1).max(MAX_CPUS),
        z
          .array(
            z.strictObject({
              node: z.int().min(0).max(MAX_NODE).describe('NUMA node of this CPU'),
            }),
          )
          .min(1)
          .max(MAX_CPUS),
      ])
      .default(1)
      .describe('logical CPUs: a number (all on node 0), or a list with the NUMA node of each'),
    epc: epcSize
      .optional()
      .meta({ ...sizeMeta, description: 'size of the EPC: one section on node 0, as 8MiB or 2048 pages' }),
    sections: z
      .array(
        z.strictObject({
          node: z.int().min(-1).max(MAX_NODE).describe('NUMA node, or -1 if the firmware gives none'),
          epc: epcSize.meta({ ...sizeMeta, description: 'size of the section, as 8MiB or 2048 pages' }),
        }),
      )
      .min(1)
      .max(MAX_SECTIONS)
      .optional()
      .describe('EPC sections in order of discovery, at most 8; instead of epc'),
  })
  .meta({
    description: 'the machine; give either epc or sections',
    oneOf: [{ required: ['epc'] }, { required: ['sections'] }],
  });

const reclaim = z
  .strictObject({
    batch: pageCount(linuxReclaim.batchPages, 'pages per reclaim batch'),
    low: pageCount(
      linuxReclaim.lowPages,
      'pages; an allocation that leaves fewer free pages wakes the daemon',
    ),
    high: pageCount(linuxReclaim.highPages, 'pages; the daemon works until this many are free'),
    policy: z.enum(['second-chance']).default('second-chance').describe('how victims are chosen'),
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

const enclave = z.strictObject({
  name: z.string().min(1).describe('name in the report; unique'),
  trace: z.string().min(1).describe('page trace; the path starts from the folder of the scenario file'),
  runs: z.int().min(1).optional().describe('runs of the trace to replay; all unless given'),
  repeat: z
    .int()
    .min(1)
    .max(runLimits.repeat)
    .default(1)
    .describe('how often the trace is replayed, one after the other'),
  cpu: z
    .int()
    .min(0)
    .optional()
    .describe('CPU that its program runs on, of its own; its place in the list (from 0) unless given'),
  measured: z
    .boolean()
    .default(true)
    .describe('are pages measured while they are added (16 EEXTEND per page)?'),
});

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
