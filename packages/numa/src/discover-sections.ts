import type { NodeId } from '@epckit/interface';

/** Most sections that are looked at (Linux `SGX_MAX_EPC_SECTIONS`). */
export const MAX_SECTIONS = 8;

/** One EPC section as the processor and the firmware announce it. */
export interface SectionConfig {
  /** NUMA node of its memory, `-1` if the firmware gives none. */
  readonly node: NodeId;
  /** Size in pages; `0` ends the enumeration as an invalid CPUID leaf does. */
  readonly pageCount: number;
  /** CPUID announces a type that is not "EPC". Default: false. */
  readonly isBadType?: boolean;
}

/** Something that the kernel logs while it looks for sections. */
export interface DiscoveryWarning {
  /**
   * - `unknownType`: enumeration stops, what was found is used
   * - `noNode`: firmware bug, node 0 is used
   */
  readonly reason: 'unknownType' | 'noNode';
  /** Section that it is about. */
  readonly section: number;
}

/** One section that is used; what a frame table is made of. */
export interface UsedSection {
  /** Node that the section belongs to. */
  readonly node: NodeId;
  /** Number of pages. */
  readonly pageCount: number;
}

/** EPC of one node (Linux sysfs `nodeN/x86/sgx_total_bytes`, in pages). */
export interface NodeTotal {
  /** Node. */
  readonly node: NodeId;
  /** Pages in all its sections. */
  readonly pageCount: number;
}

/** What {@link discoverSections} found. */
export interface DiscoveredSections {
  /** Sections that are used, in order. Empty: the machine has no EPC and the driver does not start. */
  readonly sections: readonly UsedSection[];
  /** Totals of the nodes that have EPC, ascending (Linux `sgx_numa_mask`). */
  readonly nodes: readonly NodeTotal[];
  /** What the kernel would log, in order. */
  readonly warnings: readonly DiscoveryWarning[];
}

/**
 * Chooses the sections to use as Linux `sgx_page_cache_init` does (5.13 and later): at most
 * {@link MAX_SECTIONS}, up to the first of an unknown type.
 */
export function discoverSections(config: readonly SectionConfig[]): DiscoveredSections {
  const sections: UsedSection[] = [];
  const warnings: DiscoveryWarning[] = [];
  for (const [section, { node, pageCount, isBadType }] of config.slice(0, MAX_SECTIONS).entries()) {
    if (isBadType === true) warnings.push({ reason: 'unknownType', section });
    if (isBadType === true || pageCount === 0) break;
    if (node < 0) warnings.push({ reason: 'noNode', section });
    sections.push({ node: Math.max(node, 0), pageCount });
  }
  return { sections, nodes: totalsOf(sections), warnings };
}

function totalsOf(sections: readonly UsedSection[]): readonly NodeTotal[] {
  const totals = new Map<NodeId, number>();
  for (const { node, pageCount } of sections) totals.set(node, (totals.get(node) ?? 0) + pageCount);
  return [...totals].sort(([a], [b]) => a - b).map(([node, pageCount]) => ({ node, pageCount }));
}
