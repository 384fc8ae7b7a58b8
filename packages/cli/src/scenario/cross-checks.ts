import type { Problem } from './problem.js';
import type { ScenarioFile } from './schema.js';

/**
 * Finds what no single key shows: keys that exclude or need each other.
 *
 * @returns the problems in the order of the keys in the reference; empty if the scenario is sound
 */
export function crossChecks(file: ScenarioFile): Problem[] {
  return [...checkEpc(file), ...checkMarks(file), ...checkNames(file), ...checkCpus(file)];
}

function checkEpc({ machine }: ScenarioFile): Problem[] {
  if (machine.epc === undefined && machine.sections === undefined) {
    const hint = 'Add machine.epc (8MiB or 2048 pages), or machine.sections for several nodes.';
    return [{ path: ['machine'], at: 'key', message: 'machine has no EPC.', hint }];
  }
  if (machine.epc !== undefined && machine.sections !== undefined) {
    const hint = 'Keep machine.epc for one section on node 0, or machine.sections for any others.';
    const message = 'machine.sections and machine.epc exclude each other.';
    return [{ path: ['machine', 'sections'], at: 'key', message, hint }];
  }
  return [];
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

/** Every program needs a CPU that exists and that no other program has. */
function checkCpus({ enclaves, machine }: ScenarioFile): Problem[] {
  const cpuCount = typeof machine.cpus === 'number' ? machine.cpus : machine.cpus.length;
  const cpus = enclaves.map(({ cpu }, index) => cpu ?? index);
  return cpus.flatMap((cpu, index): Problem[] => {
    const path = ['enclaves', index, 'cpu'];
    const name = `enclaves[${index}].cpu`;
    const sharedWith = cpus.indexOf(cpu);
    if (cpu >= cpuCount) {
      const given = enclaves[index]?.cpu === undefined ? ` (its place in the list, as no cpu is given)` : '';
      const message = `${name} is ${cpu}${given}, but the machine has ${plural(cpuCount, 'CPU')}.`;
      const hint = `Raise machine.cpus to ${cpu + 1}${cpuCount > 1 ? `, or give a cpu from 0 to ${cpuCount - 1}` : ''}.`;
      return [{ path, at: 'value', message, hint }];
    }
    if (sharedWith === index) return [];
    const message = `${name} is ${cpu}, where enclaves[${sharedWith}] runs already.`;
    const hint = 'Each enclave needs a CPU of its own: threads do not take turns on a CPU yet.';
    return [{ path, at: 'value', message, hint }];
  });
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
