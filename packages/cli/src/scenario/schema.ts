import { type CostName, costNames } from '@epckit/interface';
import { type CostPresetName, linuxReclaim, type PresetName, presets, runLimits } from 'epckit';
import { z } from 'zod';
import { cgroups, controller } from './cgroup-schema.js';
import { enclave } from './enclave-schema.js';
import { machine } from './machine-schema.js';
import { duration, durationMeta } from './sized.js';
import { virtualMachine } from './vm-schema.js';

const presetNames = Object.keys(presets) as PresetName[];
const costTableNames = ['client', 'server'] as const satisfies readonly CostPresetName[];

/** Far more than anybody would try. */
const MAX_DAEMONS = 64;

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
    daemons: z
      .int()
      .min(1)
      .max(MAX_DAEMONS)
      .default(linuxReclaim.daemons)
      .describe('reclaim daemons; with daemonNodes perNode, 1 stands for one per node'),
    daemonPlacement: z
      .enum(['own', 'shared'])
      .default(linuxReclaim.daemonPlacement)
      .describe('where daemons run: each on a CPU of its own beside machine.cpus, or on these, taking turns'),
    daemonNodes: z
      .enum(['all', 'perNode'])
      .default(linuxReclaim.daemonNodes)
      .describe(
        'what daemons watch: all free pages and one list, or each those of its node and a list of its own',
      ),
  })
  .prefault({})
  .describe('the reclaimer');

const allocator = z
  .strictObject({
    fallback: z
      .enum(['ascending', 'byDistance'])
      .optional()
      .describe(
        'which node is tried after that of the CPU: in order of their numbers, as Linux, or the nearest; default: as the preset does, `epckit` the nearest if there are distances, all others in order',
      ),
  })
  .prefault({})
  .describe('how EPC pages are given out');

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
    table: z.enum(costTableNames).default('client').describe('costs of a client or a server part'),
    level: z
      .enum(['minimum', 'typical', 'maximum'])
      .default('typical')
      .describe('which value of each entry is taken'),
    file: z
      .string()
      .min(1)
      .optional()
      .describe('YAML file with entries of your own; the path starts from the folder of the scenario file'),
    microcode: z
      .number()
      .positive()
      .max(runLimits.microcode)
      .default(1)
      .describe('factor of EENTER, EEXIT, AEX and ERESUME: about 1.75 for the Spectre era, 2.25 for L1TF'),
    ipi: z
      .enum(['bare-metal', 'trapped'])
      .default('bare-metal')
      .describe('how interrupts are sent: directly, or from a guest by way of the hypervisor'),
    overrides: costOverrides.prefault({}).describe('cycles by entry name that differ from all of that'),
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
  allocator,
  reclaim,
  costs,
  cgroups,
  controller,
  hostReclaim: z
    .enum(['on', 'off'])
    .optional()
    .describe(
      'does the host take EPC pages from guests? Otherwise what they have touched is theirs; default: as the preset does',
    ),
  hostVersionArrays: z
    .enum(['fixed', 'evictable'])
    .default('fixed')
    .describe(
      'version array pages of the host for pages of guests: one per 512 pages from the start, or made when needed and evicted when EPC is wanting; with hostReclaim',
    ),
  vms: z.array(virtualMachine).default([]).describe('virtual machines, each with enclaves in its guest'),
  enclaves: z
    .array(enclave)
    .min(1)
    .default([])
    .describe(
      'enclaves of the host, each with a trace of what its program touches; may be left out beside vms',
    ),
});

/** What {@link scenarioSchema} makes of a file. */
export type ScenarioFile = z.output<typeof scenarioSchema>;

/** Returns the JSON Schema of a scenario file, for editors. */
export function scenarioJsonSchema(): Readonly<Record<string, unknown>> {
  const schema = z.toJSONSchema(scenarioSchema, { io: 'input' });
  return { title: 'epckit scenario', ...schema };
}
