import { runLimits } from 'epckit';
import { z } from 'zod';
import { duration, durationMeta } from './sized.js';

const MAX_RUNS = 2 ** 28;
const MAX_PAGES = 2 ** 24;

/** Makes a trace of known shape from the seed of the scenario. */
const generator = z.strictObject({
  kind: z
    .enum(['uniform', 'zipf', 'scan', 'sequential'])
    .describe('which pages: all equally often, by Zipf’s law, round and round, or one ascending pass'),
  runs: z.int().min(1).max(MAX_RUNS).describe('references to make'),
  pages: z.int().min(1).max(MAX_PAGES).describe('pages to choose from'),
  writeShare: z.number().min(0).max(1).default(0.3).describe('share of the references that write'),
  exponent: z.number().min(0).max(10).default(1).describe('skew of zipf; 0 is uniform'),
});

/** A thread with references of its own. */
export const thread = z.strictObject({
  trace: z.string().min(1).optional().describe('page trace of this thread'),
  generator: generator.optional().describe('makes the trace from the seed; instead of trace'),
  cpu: z.int().min(0).optional().describe('CPU of this thread; the next one unless given'),
  start: duration
    .prefault('0s')
    .meta({ ...durationMeta, description: 'earliest time at which this thread enters the enclave' }),
});

/** An enclave of a scenario file. */
export const enclave = z.strictObject({
  name: z.string().min(1).describe('name in the report; unique'),
  instances: z
    .int()
    .min(1)
    .max(1024)
    .default(1)
    .describe('enclaves of this kind, each with threads and CPUs of its own; their names get a number'),
  trace: z
    .string()
    .min(1)
    .optional()
    .describe('page trace; the path starts from the folder of the scenario file'),
  generator: generator.optional().describe('makes the trace from the seed; instead of trace'),
  runs: z.int().min(1).optional().describe('runs of the trace to replay; all unless given'),
  repeat: z
    .int()
    .min(1)
    .max(runLimits.repeat)
    .default(1)
    .describe('how often the trace is replayed, one after the other'),
  threads: z
    .union([z.int().min(1).max(1024), z.array(thread).min(1).max(1024)])
    .optional()
    .describe(
      'threads: a number that share the trace, or a list with a trace for each; as many as cpus lists, or 1, unless given',
    ),
  deal: z
    .enum(['slices', 'turns', 'copies'])
    .default('slices')
    .describe('how threads share the trace: contiguous parts, run by run in turns, or each all of it'),
  cpu: z
    .int()
    .min(0)
    .optional()
    .describe('CPU of its first thread, the others follow; the next one of the list (from 0) unless given'),
  cpus: z.array(z.int().min(0)).min(1).optional().describe('CPU of each thread; instead of cpu'),
  dynamicShare: z
    .number()
    .min(0)
    .max(1)
    .default(0)
    .describe(
      'share of the pages, those with the highest addresses, that are added on first touch instead of built (SGX2)',
    ),
  measured: z
    .boolean()
    .default(true)
    .describe('are pages measured while they are added (16 EEXTEND per page)?'),
  buildCost: z
    .boolean()
    .default(true)
    .describe('is building part of the run? Otherwise the enclave is there when time begins'),
  start: duration
    .prefault('0s')
    .meta({ ...durationMeta, description: 'time at which its program starts, as 20ms or 70000 cycles' }),
  startJitter: duration
    .prefault('0s')
    .meta({ ...durationMeta, description: 'random delay of the start, below this, drawn from the seed' }),
  stop: duration.optional().meta({
    ...durationMeta,
    description: 'its program is ended at this time; at the end of its trace unless given',
  }),
  cgroup: z
    .string()
    .regex(/^\/[^/]/, 'must be a path that begins with / and a name')
    .optional()
    .meta({
      examples: ['/a', '/tenants/b'],
      description: 'directory of cgroups that its process is in, such as /tenants/a; the root unless given',
    }),
});
