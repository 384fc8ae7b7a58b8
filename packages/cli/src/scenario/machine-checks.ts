import { durationToCycles } from './duration.js';
import { cpuNodesOf, sectionsOf } from './placement.js';
import { plural } from './plural.js';
import type { Problem } from './problem.js';
import type { ScenarioFile } from './schema.js';

/** Finds keys of the machine, its allocator and its reclaimer that exclude or need each other. */
export function machineChecks(file: ScenarioFile): Problem[] {
  return [
    ...checkEpc(file),
    ...checkDistances(file),
    ...checkSlice(file),
    ...checkFallback(file),
    ...checkMarks(file),
    ...checkDaemons(file),
  ];
}

const epcKeys = ['epc', 'sections', 'epcPerNode'] as const;

function checkEpc({ machine }: ScenarioFile): Problem[] {
  const given = epcKeys.filter((key) => machine[key] !== undefined);
  if (given.length === 0) {
    const hint = 'Add machine.epc (8MiB or 2048 pages), or machine.sections for several nodes.';
    return [{ path: ['machine'], at: 'key', message: 'machine has no EPC.', hint }];
  }
  const [first, second] = given;
  if (second !== undefined) {
    const hint =
      'Keep machine.epc for one section on node 0, machine.epcPerNode for equal nodes, or machine.sections for any others.';
    const message = `machine.${second} and machine.${first} exclude each other.`;
    return [{ path: ['machine', second], at: 'key', message, hint }];
  }
  return checkNodes(machine, first === 'epcPerNode');
}

/** Equal nodes are described by three keys together. */
function checkNodes(machine: ScenarioFile['machine'], isPerNode: boolean): Problem[] {
  if (isPerNode && machine.cpus !== undefined) {
    const message = 'machine.cpus and machine.epcPerNode exclude each other.';
    return [{ path: ['machine', 'cpus'], at: 'key', message, hint: 'Give machine.cpusPerNode.' }];
  }
  const key = (['nodes', 'cpusPerNode'] as const).find((name) => machine[name] !== undefined);
  if (isPerNode || key === undefined) return [];
  const message = `machine.${key} is given without machine.epcPerNode.`;
  const hint = 'Equal nodes take machine.epcPerNode; others take machine.cpus and machine.sections.';
  return [{ path: ['machine', key], at: 'key', message, hint }];
}

/** Every node of the machine has a row and a column. */
function checkDistances({ machine }: ScenarioFile): Problem[] {
  const { distances } = machine;
  if (distances === undefined) return [];
  const nodes = [...cpuNodesOf(machine), ...sectionsOf(machine)].map(({ node }) => node);
  const count = Math.max(...nodes) + 1;
  const path = ['machine', 'distances'];
  const hint = 'Give a row and a column for each node, 10 on the diagonal and 11 to 254 elsewhere.';
  if (distances.length !== count) {
    const message = `machine.distances has ${plural(distances.length, 'row')}, but the machine has ${plural(count, 'node')}.`;
    return [{ path, at: 'value', message, hint }];
  }
  return distances.flatMap((row, from) => {
    const name = `machine.distances[${from}]`;
    if (row.length !== count) {
      const message = `${name} has ${plural(row.length, 'distance')}, but the machine has ${plural(count, 'node')}.`;
      return [{ path: [...path, from], at: 'value' as const, message, hint }];
    }
    const to = row.findIndex((distance, index) => (index === from) !== (distance === 10));
    if (to < 0) return [];
    const message = `${name}[${to}] is ${row[to]}, from node ${from} to ${to === from ? 'itself' : `node ${to}`}.`;
    return [{ path: [...path, from, to], at: 'value' as const, message, hint }];
  });
}

/** Only who knows distances can tell which node is the nearest. */
function checkFallback({ allocator, machine }: ScenarioFile): Problem[] {
  if (allocator.fallback !== 'byDistance' || machine.distances !== undefined) return [];
  const message = 'allocator.fallback is byDistance, but machine.distances is missing.';
  const hint = 'Give distances between the nodes, such as [[10, 21], [21, 10]].';
  return [{ path: ['allocator', 'fallback'], at: 'value', message, hint }];
}

/** Daemons per node are as many as nodes with EPC; those that share a CPU need one on their node. */
function checkDaemons({ reclaim, machine }: ScenarioFile): Problem[] {
  const { daemons, daemonPlacement, daemonNodes } = reclaim;
  if (daemonNodes !== 'perNode') return [];
  const nodes = [...new Set(sectionsOf(machine).map(({ node }) => Math.max(node, 0)))].sort((a, b) => a - b);
  if (daemons !== 1 && daemons !== nodes.length) {
    const message = `reclaim.daemons is ${daemons}, but ${plural(nodes.length, 'node')} of the machine ${nodes.length === 1 ? 'has' : 'have'} EPC (daemonNodes is perNode).`;
    const hint = nodes.length === 1 ? 'Give 1.' : `Give ${nodes.length}, or 1 for one per node.`;
    return [{ path: ['reclaim', 'daemons'], at: 'value', message, hint }];
  }
  const cpuNodes = new Set(cpuNodesOf(machine).map(({ node }) => node));
  const without = nodes.find((node) => !cpuNodes.has(node));
  if (daemonPlacement !== 'shared' || without === undefined) return [];
  const message = `reclaim.daemonPlacement is shared, but node ${without} has no CPU for its daemon.`;
  const hint = 'Give own, or a CPU on every node with EPC.';
  return [{ path: ['reclaim', 'daemonPlacement'], at: 'value', message, hint }];
}

function checkSlice({ machine, costs }: ScenarioFile): Problem[] {
  if (durationToCycles(machine.slice, costs.clockGhz) > 0) return [];
  const message = 'machine.slice is 0: no thread would ever run.';
  return [
    { path: ['machine', 'slice'], at: 'value', message, hint: 'Give at least one cycle, such as 3ms.' },
  ];
}

function checkMarks({ reclaim }: ScenarioFile): Problem[] {
  if (reclaim.low <= reclaim.high) return [];
  const message = `reclaim.low (${reclaim.low} pages) is above reclaim.high (${reclaim.high} pages).`;
  const hint = 'The daemon works until high is reached; give low ≤ high.';
  return [{ path: ['reclaim', 'low'], at: 'value', message, hint }];
}
