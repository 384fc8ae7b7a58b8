import type { Script } from 'epckit';
import { z } from 'zod';

const record = z.record(z.string(), z.unknown());

const touch = z.tuple([z.literal('t'), z.string(), z.int().min(0)]).rest(z.int().min(0));

const operation = z.looseObject({ op: z.string().min(1) });

const machine = z.looseObject({
  nodes: z.array(z.looseObject({ memory: z.boolean().optional() })),
  cpus: z.array(z.looseObject({ node: z.int().min(0) })),
  sections: z.array(
    z.looseObject({
      node: z.int().min(-1),
      pages: z.int().min(0),
      bad_type: z.boolean().optional(),
      base_page: z.int().min(0).optional(),
    }),
  ),
  ksgxd: z.enum(['auto', 'manual']).optional(),
  resume: z.enum(['auto', 'manual']).optional(),
  trace_age: z.boolean().optional(),
  trace_backing: z.boolean().optional(),
});

/**
 * The frame of a replay script. Arguments of the operations are the replayer's business, and keys that it does
 * not know may hold notes of the recorder.
 */
export const scriptSchema = z.looseObject({
  format: z.literal(1),
  name: z.string().min(1),
  about: z.string().optional(),
  machine,
  steps: z.array(z.union([touch, operation])),
  expect: z.array(record).optional(),
});

/** Marks data that has passed {@link scriptSchema} as a script. */
export function asScript(data: unknown): Script {
  return data as Script;
}
