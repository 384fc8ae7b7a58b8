import { parseQemuEpc, type QemuEpcSection } from '@epckit/guest';
import { MisuseError } from '@epckit/interface';
import { linuxReclaim } from 'epckit';
import { z } from 'zod';
import { enclave, thread } from './enclave-schema.js';
import { duration, durationMeta, epcSize, sizeMeta } from './sized.js';

const MAX_VCPUS = 1024;
/** As many as Linux uses (`SGX_MAX_EPC_SECTIONS`); it would ignore further ones. */
const MAX_SECTIONS = 8;
const SECTIONS = `EPC sections of the guest, of which Linux uses ${MAX_SECTIONS} (SGX_MAX_EPC_SECTIONS)`;

const pageCount = (defaultPages: number, meaning: string) =>
  z
    .int()
    .min(1)
    .max(2 ** 28)
    .default(defaultPages)
    .describe(meaning);

const section = z.strictObject({
  size: epcSize.meta({ ...sizeMeta, description: 'size of the section, as 8MiB or 2048 pages' }),
  node: z.int().min(0).max(1023).default(0).describe('NUMA node that the guest is told'),
  prealloc: z
    .enum(['on', 'off'])
    .default('off')
    .describe('does the VMM touch every page before the guest starts?'),
});

/** EPC options of a QEMU command line. */
const qemu = z.unknown().transform((value, context): readonly QemuEpcSection[] => {
  const refuse = (message: string, hint: string) => {
    context.issues.push({ code: 'custom', message, params: { hint }, input: value });
    return z.NEVER;
  };
  const hint = 'Give -object memory-backend-epc,id=mem1,size=64M -M sgx-epc.0.memdev=mem1.';
  if (typeof value !== 'string') return refuse('must be text', hint);
  try {
    const sections = parseQemuEpc(value);
    if (sections.length > MAX_SECTIONS) {
      return refuse(`must have at most ${MAX_SECTIONS} entries`, `${SECTIONS}.`);
    }
    return sections.length > 0 ? sections : refuse('describes no EPC section', hint);
  } catch (error) {
    if (!(error instanceof MisuseError)) throw error;
    return refuse(`is refused: ${error.message.replace(/\.$/, '')}`, error.hint ?? hint);
  }
});

/** A thread of an enclave of a guest, with references of its own. */
const guestThread = thread.omit({ cpu: true }).extend({
  vcpu: z.int().min(0).optional().describe('virtual CPU of this thread; the next one unless given'),
});

/** An enclave of a guest: as one of the host, with virtual CPUs instead of CPUs. */
const guestEnclave = enclave
  .pick({ name: true, trace: true, generator: true, runs: true, repeat: true, deal: true, measured: true })
  .extend({
    name: z.string().min(1).describe('name in the report; unique in its guest'),
    threads: z
      .union([z.int().min(1).max(MAX_VCPUS), z.array(guestThread).min(1).max(MAX_VCPUS)])
      .optional()
      .describe(
        'threads: a number that share the trace, or a list with a trace for each; as many as vcpus lists, or 1, unless given',
      ),
    vcpu: z
      .int()
      .min(0)
      .optional()
      .describe('virtual CPU of its first thread, the others follow; the next one of the list unless given'),
    vcpus: z
      .array(z.int().min(0))
      .min(1)
      .optional()
      .describe('virtual CPU of each thread; instead of vcpu. Those of one virtual CPU follow each other'),
    ...enclave.pick({ buildCost: true, start: true, startJitter: true, stop: true }).shape,
  });

/** Keys of enclaves of the host that those of guests do not have, and what there is instead. */
export const foreignGuestKeys: Readonly<Record<string, string>> = {
  instances: 'Give instances to the virtual machine, or an entry per enclave.',
  cpu: 'Threads of a guest run on its virtual CPUs: give vcpu here, and cpus to the virtual machine.',
  cpus: 'Threads of a guest run on its virtual CPUs: give vcpus here, and cpus to the virtual machine.',
  dynamicShare: 'Enclaves of guests are built whole: only enclaves of the host can add pages on first touch.',
  cgroup: 'The VMM pays for the EPC of its guest: give cgroup to the virtual machine.',
};

const reclaim = z
  .strictObject({
    batch: pageCount(linuxReclaim.batchPages, 'pages per reclaim batch'),
    low: pageCount(linuxReclaim.lowPages, 'an allocation that leaves fewer free pages wakes the daemon'),
    high: pageCount(linuxReclaim.highPages, 'the daemon works until this many pages are free'),
  })
  .prefault({})
  .describe('the reclaimer of the guest’s kernel, with one daemon on the first virtual CPU');

/** A virtual machine of a scenario file. */
export const virtualMachine = z
  .strictObject({
    name: z.string().min(1).describe('name in the report; unique'),
    instances: z
      .int()
      .min(1)
      .max(1024)
      .default(1)
      .describe('virtual machines of this kind, each with CPUs of its own; their names get a number'),
    vcpus: z
      .int()
      .min(1)
      .max(MAX_VCPUS)
      .optional()
      .describe(
        'virtual CPUs, each pinned to the next CPU of its own; as many as cpus lists, or 1, unless given',
      ),
    cpus: z
      .array(z.int().min(0))
      .min(1)
      .optional()
      .describe(
        'CPU that each virtual CPU is pinned to; other virtual machines and enclaves may be there: they take turns',
      ),
    epc: z.array(section).min(1).max(MAX_SECTIONS).optional().describe(SECTIONS),
    qemu: qemu.optional().meta({
      type: 'string',
      examples: ['-object memory-backend-epc,id=mem1,size=64M,prealloc=on -M sgx-epc.0.memdev=mem1'],
      description:
        'EPC sections as on the command line of QEMU, objects as JSON too; a size without suffix is in bytes; instead of epc',
    }),
    reclaim,
    kernel: z
      .enum(['linux-6', 'epckit'])
      .optional()
      .describe(
        'kernel of the guest: Linux 6.12, or with its known defects repaired; epckit with preset epckit, else linux-6, unless given',
      ),
    migrations: z.array(duration.meta(durationMeta)).max(1024).default([]).meta({
      description:
        'times at which it is migrated live, as 20ms: its guest loses its EPC, and builds its enclaves again',
    }),
    cgroup: enclave.shape.cgroup.meta({
      examples: ['/a', '/tenants/b'],
      description: 'directory of cgroups that its VMM is in, such as /tenants/a; the root unless given',
    }),
    enclaves: z.array(guestEnclave).min(1).describe('enclaves of the guest'),
  })
  .meta({ oneOf: [{ required: ['epc'] }, { required: ['qemu'] }] });

/** A virtual machine as a file describes it. */
export type VmFile = z.output<typeof virtualMachine>;

/** An enclave of a guest as a file describes it. */
export type GuestEnclaveFile = z.output<typeof guestEnclave>;
