import { LINUX_SECTION_LIMIT } from '@epckit/hardware';
import type { CpuId, NodeId, Probe } from '@epckit/interface';
import { MisuseError } from '@epckit/interface';
import type { KvmCpuid, Vepc } from '@epckit/vepc';
import type { GuestSection } from './guest-epc.js';
import type { GuestKernelOptions } from './guest-kernel.js';

/** One EPC section of a virtual machine. */
export interface SectionOptions {
  /** Pages of the section, at least 1. */
  readonly pageCount: number;
  /** NUMA node that the guest is told. Default: 0. */
  readonly node?: NodeId;
  /** The VMM touches every page before the guest starts (`prealloc=on`). Default: false. */
  readonly isPreallocated?: boolean;
}

/** What `createVirtualMachine` makes. */
export interface VirtualMachineOptions {
  /** Name for reports. */
  readonly name: string;
  /** CPUs that virtual CPUs are pinned to, each to one. */
  readonly cpus: readonly CpuId[];
  /** CPU of the guest's daemon. Default: that of the first virtual CPU. */
  readonly daemonCpu?: CpuId;
  /** EPC sections, 1 to 8: Linux uses no more. */
  readonly sections: readonly SectionOptions[];
  /** Guest-physical page of the first section. Default: 4 GiB. */
  readonly epcBasePage?: number;
  /** CPUID that the VMM sets; it adds the EPC sections itself. Default: all that KVM supports. */
  readonly cpuid?: KvmCpuid;
  /** The VMM allows PROVISIONKEY. Default: false. */
  readonly isProvisioningAllowed?: boolean;
  /** The guest's kernel. */
  readonly kernel?: GuestKernelOptions;
  /** Trace points of the guest, or `null` (default). */
  readonly probe?: Probe | null;
}

/** @throws MisuseError without virtual CPUs or sections, or with two virtual CPUs on one CPU */
export function requireSound(
  { name, cpus, sections, daemonCpu }: VirtualMachineOptions,
  cpuCount: number,
): void {
  const problems: string[] = [];
  if (cpus.length === 0) problems.push('it has no virtual CPU');
  if (new Set(cpus).size !== cpus.length) problems.push('two virtual CPUs are pinned to one CPU');
  for (const cpu of [...cpus, ...(daemonCpu === undefined ? [] : [daemonCpu])]) {
    if (!(Number.isInteger(cpu) && cpu >= 0 && cpu < cpuCount)) problems.push(`there is no CPU ${cpu}`);
  }
  if (sections.length === 0) problems.push('it has no EPC section');
  if (sections.length > LINUX_SECTION_LIMIT)
    problems.push(`it has ${sections.length} EPC sections, and Linux uses ${LINUX_SECTION_LIMIT}`);
  for (const { pageCount } of sections) {
    if (!(Number.isInteger(pageCount) && pageCount > 0)) problems.push(`a section has ${pageCount} pages`);
  }
  if (problems.length === 0) return;
  throw new MisuseError(`Virtual machine '${name}' cannot be made.`, problems, {
    hint: `CPUs are 0 … ${cpuCount - 1}; sections have at least one page.`,
  });
}

/** Sections one after the other, each with its instance. */
export function sectionsOf(options: readonly SectionOptions[], instances: readonly Vepc[]): GuestSection[] {
  let firstPage = 0;
  return options.map(({ pageCount, node = 0 }, index) => {
    const section = { firstPage, pageCount, node, vepc: instances[index] as Vepc };
    firstPage += pageCount;
    return section;
  });
}
