import type { ScenarioFile } from './schema.js';

type EnclaveFile = ScenarioFile['enclaves'][number];

/** Node of each CPU of the machine. */
export function cpuNodesOf(machine: ScenarioFile['machine']): readonly { readonly node: number }[] {
  const { cpus, nodes, cpusPerNode, epcPerNode } = machine;
  if (typeof cpus === 'object') return cpus;
  const isPerNode = epcPerNode !== undefined;
  const perNode = isPerNode ? (cpusPerNode ?? 1) : (cpus ?? 1);
  const count = isPerNode ? (nodes ?? 1) * perNode : perNode;
  return Array.from({ length: count }, (_, cpu) => ({ node: Math.floor(cpu / perNode) }));
}

/** EPC sections of the machine, in pages. */
export function sectionsOf(machine: ScenarioFile['machine']) {
  const { epc, sections, nodes, epcPerNode } = machine;
  if (sections !== undefined) return sections.map(({ node, epc: pageCount }) => ({ node, pageCount }));
  if (epcPerNode === undefined) return [{ node: 0, pageCount: epc as number }];
  return Array.from({ length: nodes ?? 1 }, (_, node) => ({ node, pageCount: epcPerNode }));
}

/**
 * CPUs of the threads of each entry of the list, instance after instance: as given, or behind those of the entries
 * before it.
 */
export function placeThreads(enclaves: readonly EnclaveFile[]): readonly (readonly number[])[] {
  let next = 0;
  return enclaves.map(({ cpu, cpus, threads, instances }) => {
    if (typeof threads === 'object') {
      const placed = threads.map((thread, index) => thread.cpu ?? next + index);
      next += threads.length;
      return placed;
    }
    const count = (threads ?? cpus?.length ?? 1) * instances;
    const first = cpu ?? next;
    next += count;
    return cpus ?? Array.from({ length: count }, (_, thread) => first + thread);
  });
}
