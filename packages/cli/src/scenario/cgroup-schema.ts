import { parseEpcQuantity, parseUnified, type VictimPolicyName, victimPolicies } from '@epckit/cgroup';
import { MisuseError } from '@epckit/interface';
import { z } from 'zod';
import { type GroupLimit, LIMIT_PATTERN, parseGroupLimit } from './group-limit.js';
import { duration, durationMeta } from './sized.js';

/** Names that can stand in a path; without a hyphen also in --vary. */
const groupName = z.string().regex(/^[A-Za-z_][\w-]*$/);

/** A problem of a value becomes one of its key. */
const custom = (message: string, hint: string) => ({ code: 'custom' as const, message, params: { hint } });

const limit = z.unknown().transform((value, context): GroupLimit => {
  const parsed = parseGroupLimit(value);
  if ('kind' in parsed) return parsed;
  context.issues.push({ ...custom(parsed.problem, parsed.hint), input: value });
  return z.NEVER;
});

const limitMeta = {
  type: 'string',
  pattern: LIMIT_PATTERN,
  examples: ['2MiB', '50%', '512 pages', 'max'],
} as const;

/** What the chain from a pod to the runtime writes. */
const quantity = z.unknown().transform((value, context): GroupLimit => {
  try {
    return { kind: 'bytes', bytes: parseEpcQuantity(value as string | number).bytes };
  } catch (error) {
    context.issues.push({ ...problemOf(error), input: value });
    return z.NEVER;
  }
});

/** The map of an OCI configuration, as far as it limits EPC. */
const unified = z.unknown().transform((value, context): GroupLimit => {
  try {
    const { setting, otherFiles } = parseUnified(value, ['sgx_epc']);
    const [other] = otherFiles;
    if (other !== undefined || setting === undefined) {
      const what = other === undefined ? 'does not set misc.max' : `sets ${other}, which is not simulated`;
      const hint = 'accepted: { misc.max: "sgx_epc 1048576" } or { misc.max: "sgx_epc max" }';
      context.issues.push({ ...custom(what, hint), input: value });
      return z.NEVER;
    }
    const bytes = Number(setting.limit);
    return Number.isSafeInteger(bytes) ? { kind: 'bytes', bytes } : { kind: 'none' };
  } catch (error) {
    context.issues.push({ ...problemOf(error), input: value });
    return z.NEVER;
  }
});

function problemOf(error: unknown) {
  if (!(error instanceof MisuseError)) throw error;
  const { message, details } = error;
  return custom(`is refused: ${message.replace(/\.$/, '')}`, details.join('; '));
}

const change = z.strictObject({
  at: duration.meta({ ...durationMeta, description: 'when it is written to misc.max' }),
  max: limit.meta({ ...limitMeta, description: 'the limit from then on' }),
});

const group = z.strictObject({
  max: limit.optional().meta({
    ...limitMeta,
    description: 'limit: a size with unit, a share of the EPC such as 50%, or max (none, the default)',
  }),
  epc: quantity.optional().meta({
    type: ['string', 'integer'],
    examples: ['512Ki', '10Mi'],
    description: 'limit as the Kubernetes quantity of sgx.intel.com/epc; instead of max',
  }),
  unified: unified.optional().meta({
    type: 'object',
    examples: [{ 'misc.max': 'sgx_epc 1048576' }],
    description: 'limit as linux.resources.unified of an OCI configuration; instead of max',
  }),
  limits: z.array(change).max(1000).default([]).describe('later limits'),
  get groups(): z.ZodOptional<z.ZodRecord<z.ZodString, typeof group>> {
    return z.record(groupName, group).optional().describe('groups below it, by name');
  },
});

/** Groups of a scenario file, by name. */
export const cgroups = z
  .record(groupName, group)
  .optional()
  .describe('cgroups by name, those below the root; enclaves are in the root unless they name a group');

/** A group of a scenario file. */
export type GroupFile = z.output<typeof group>;

/** How the EPC controller of the preset is set. */
export const controller = z
  .strictObject({
    kill: z
      .enum(['none', 'mark', 'destroy'])
      .optional()
      .describe(
        'what is done when nothing can be reclaimed: nobody is killed, a worker marks a victim, or the writer of a limit destroys one; as the design does unless given',
      ),
    victim: z
      .enum(Object.keys(victimPolicies) as [VictimPolicyName, ...VictimPolicyName[]])
      .optional()
      .describe('who is killed; whom the design takes unless given'),
    workers: z
      .int()
      .min(1)
      .max(64)
      .default(1)
      .describe('kernel threads for background reclaim, each on a CPU of its own'),
  })
  .prefault({})
  .describe('the EPC controller; for scenarios with cgroups');
