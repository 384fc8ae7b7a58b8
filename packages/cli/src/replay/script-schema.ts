import type { Script } from 'epckit';
import { z } from 'zod';

const record = z.record(z.string(), z.unknown());

const touch = z.tuple([z.literal('t'), z.string(), z.int().min(0)]).rest(z.int().min(0));

const operation = z.looseObject({ op: z.string().min(1) });

const machine = z.strictObject({
  nodes: z.array(z.strictObject({ memory: z.boolean().optional() })),
  cpus: z.array(z.strictObject({ node: z.int().min(0) })),
  sections: z.array(
    z.strictObject({
      node: z.int().min(-1),
      pages: z.int().min(0),
      bad_type: z.boolean().optional(),
      base_page: z.int().min(0).optional(),
      gap_pages: z.int().min(0).optional(),
    }),
  ),
  ksgxd: z.enum(['auto', 'manual']).optional(),
  resume: z.enum(['auto', 'manual']).optional(),
  sgx: z.boolean().optional(),
  sgx2: z.boolean().optional(),
  vmx: z.boolean().optional(),
  launch_control: z.boolean().optional(),
  trace_age: z.boolean().optional(),
  trace_backing: z.boolean().optional(),
});

/**
 * The frame of a replay script, as strict as the replayer itself: an unknown key would change what the script means.
 * Arguments of the operations are the replayer's business.
 */
export const scriptSchema = z.strictObject({
  format: z.literal(1),
  name: z.string().min(1),
  about: z.string().optional(),
  machine,
  steps: z.array(z.union([touch, operation])),
  expect: z.array(record).optional(),
  summary: z.unknown().optional(),
});

/** Marks data that has passed {@link scriptSchema} as a script. */
export function asScript(data: unknown): Script {
  return data as Script;
}
