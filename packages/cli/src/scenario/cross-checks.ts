import { cpuNodesOf, placeThreads } from './placement.js';
import type { Problem } from './problem.js';
import type { ScenarioFile } from './schema.js';

/**
 * Finds what no single key shows: keys that exclude or need each other.
 *
 * @returns the problems in the order of the keys in the reference; empty if the scenario is sound
 */
export function crossChecks(file: ScenarioFile): Problem[] {
  return [
    ...checkEpc(file),
    ...checkMarks(file),
    ...checkNames(file),
    ...checkTraces(file),
    ...checkThreads(file),
    ...checkCpus(file),
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

function checkMarks({ reclaim }: ScenarioFile): Problem[] {
  if (reclaim.low <= reclaim.high) return [];
  const message = `reclaim.low (${reclaim.low} pages) is above reclaim.high (${reclaim.high} pages).`;
  const hint = 'The daemon works until high is reached; give low ≤ high.';
  return [{ path: ['reclaim', 'low'], at: 'value', message, hint }];
}

function checkNames({ enclaves }: ScenarioFile): Problem[] {
  return enclaves.flatMap(({ name }, index): Problem[] => {
    const first = enclaves.findIndex((other) => other.name === name);
    if (first === index) return [];
    const message = `enclaves[${index}].name is "${name}", as that of enclaves[${first}].`;
    const hint = 'Give each enclave a name of its own.';
    return [{ path: ['enclaves', index, 'name'], at: 'value', message, hint }];
  });
}

/** Every enclave has one source of references. */
function checkTraces({ enclaves }: ScenarioFile): Problem[] {
  return enclaves.flatMap(({ trace, generator }, index): Problem[] => {
    const name = `enclaves[${index}]`;
    if (trace === undefined && generator === undefined) {
      const hint =
        'Add it: page trace; the path starts from the folder of the scenario file. Or a generator.';
      return [
        { path: ['enclaves', index, 'trace'], at: 'value', message: `${name}.trace is missing.`, hint },
      ];
    }
    if (trace !== undefined && generator !== undefined) {
      const message = `${name}.trace and ${name}.generator exclude each other.`;
      const hint = 'Keep trace for a file, or generator to make references.';
      return [{ path: ['enclaves', index, 'generator'], at: 'key', message, hint }];
    }
    if (generator?.kind !== 'sequential' || generator.pages <= generator.runs) return [];
    const message = `${name}.generator.pages is ${generator.pages}, but only ${generator.runs} runs are made.`;
    const hint = 'A sequential trace touches every page: give runs ≥ pages.';
    return [{ path: ['enclaves', index, 'generator', 'pages'], at: 'value', message, hint }];
  });
}

/** threads, cpu and cpus say the same in different ways. */
function checkThreads({ enclaves }: ScenarioFile): Problem[] {
  return enclaves.flatMap(({ threads, cpu, cpus }, index): Problem[] => {
    const name = `enclaves[${index}]`;
    const path = ['enclaves', index, 'cpus'];
    if (cpus === undefined) return [];
    if (cpu !== undefined) {
      const message = `${name}.cpus and ${name}.cpu exclude each other.`;
      const hint = 'Keep cpu for threads on neighbouring CPUs, or cpus for any others.';
      return [{ path, at: 'key', message, hint }];
    }
    if (threads === undefined || threads === cpus.length) return [];
    const message = `${name}.cpus lists ${plural(cpus.length, 'CPU')} for ${plural(threads, 'thread')}.`;
    return [{ path, at: 'value', message, hint: 'Give each thread a CPU, or leave threads out.' }];
  });
}

/** Every thread needs a CPU that exists and that no other thread has. */
function checkCpus(file: ScenarioFile): Problem[] {
  const cpuCount = cpuNodesOf(file.machine).length;
  const placed = placeThreads(file.enclaves).flatMap((cpus, index) => cpus.map((cpu) => ({ cpu, index })));
  for (const [at, { cpu, index }] of placed.entries()) {
    const { cpu: given, cpus, threads } = file.enclaves[index] as ScenarioFile['enclaves'][number];
    const path = ['enclaves', index, cpus === undefined ? 'cpu' : 'cpus'];
    const name = `enclaves[${index}].${cpus === undefined ? 'cpu' : 'cpus'}`;
    const isOwn = given !== undefined || cpus !== undefined;
    const what = `${name} is ${cpu}${isOwn ? '' : ' (its place in the list, as no cpu is given)'}`;
    const says =
      (threads ?? 1) > 1 || cpus !== undefined ? `A thread of enclaves[${index}] is on CPU ${cpu}` : what;
    if (cpu >= cpuCount) {
      const message = `${says}, but the machine has ${plural(cpuCount, 'CPU')}.`;
      const key = file.machine.epcPerNode === undefined ? 'machine.cpus' : 'nodes × cpusPerNode';
      const hint = `Raise ${key} to ${cpu + 1}${cpuCount > 1 ? `, or give a cpu from 0 to ${cpuCount - 1}` : ''}.`;
      return [{ path, at: 'value', message, hint }];
    }
    const first = placed.findIndex((other) => other.cpu === cpu);
    if (first === at) continue;
    const message = `${says}, where enclaves[${placed[first]?.index}] runs already.`;
    const hint = 'Each thread needs a CPU of its own: threads do not take turns on a CPU yet.';
    return [{ path, at: 'value', message, hint }];
  }
  return [];
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
