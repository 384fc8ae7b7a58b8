import { z } from 'zod';
import { duration, durationMeta, epcSize, sizeMeta } from './sized.js';

const MAX_CPUS = 1024;
const MAX_NODE = 1023;
/** As many as Linux uses (`SGX_MAX_EPC_SECTIONS`); it would ignore further ones. */
const MAX_SECTIONS = 8;

const nodeOfCpu = z.strictObject({
  node: z.int().min(0).max(MAX_NODE).describe('NUMA node of this CPU'),
});

const section = z.strictObject({
  node: z.int().min(-1).max(MAX_NODE).describe('NUMA node, or -1 if the firmware gives none'),
  epc: epcSize.meta({ ...sizeMeta, description: 'size of the section, as 8MiB or 2048 pages' }),
});

/** The machine of a scenario file. */
export const machine = z
  .strictObject({
    cpus: z
      .union([z.int().min(1).max(MAX_CPUS), z.array(nodeOfCpu).min(1).max(MAX_CPUS)])
      .optional()
      .describe(
        'logical CPUs: a number (all on node 0), or a list with the NUMA node of each; 1 unless given',
      ),
    epc: epcSize
      .optional()
      .meta({ ...sizeMeta, description: 'size of the EPC: one section on node 0, as 8MiB or 2048 pages' }),
    sections: z
      .array(section)
      .min(1)
      .max(MAX_SECTIONS)
      .optional()
      .describe('EPC sections in order of discovery, at most 8; instead of epc'),
    nodes: z
      .int()
      .min(1)
      .max(MAX_SECTIONS)
      .optional()
      .describe('equal NUMA nodes, each with cpusPerNode CPUs and epcPerNode of EPC; 1 unless given'),
    cpusPerNode: z
      .int()
      .min(1)
      .max(MAX_CPUS / MAX_SECTIONS)
      .optional()
      .describe('logical CPUs of each node, numbered node by node; 1 unless given'),
    epcPerNode: epcSize.optional().meta({
      ...sizeMeta,
      description: 'size of the EPC section of each node; instead of epc and sections',
    }),
    distances: z
      .array(z.array(z.int().min(10).max(254)).min(1))
      .min(1)
      .max(MAX_NODE + 1)
      .optional()
      .describe(
        'distances between nodes as in the SLIT: a row and a column per node, 10 on the diagonal, 11 to 254 elsewhere; unknown unless given',
      ),
    slice: duration.prefault('3ms').meta({
      ...durationMeta,
      description: 'time for which a thread has its CPU when another one could run',
    }),
  })
  .meta({
    description: 'the machine; give epc, sections or epcPerNode',
    oneOf: [{ required: ['epc'] }, { required: ['sections'] }, { required: ['epcPerNode'] }],
  });
