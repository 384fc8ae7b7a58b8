import { MisuseError } from '@epckit/interface';
import type { Script, ScriptMachine } from './script.js';

const scriptKeys = ['format', 'name', 'about', 'machine', 'steps', 'expect', 'summary'];
const machineKeys = [
  'nodes',
  'cpus',
  'sections',
  'ksgxd',
  'resume',
  'sgx',
  'sgx2',
  'vmx',
  'launch_control',
  'trace_age',
  'trace_backing',
];
const switches = ['sgx', 'sgx2', 'vmx', 'launch_control', 'trace_age', 'trace_backing'] as const;

/**
 * Checks what a script says of itself and of its machine: a key that is not known is refused, because it would
 * change what the script means.
 *
 * @throws MisuseError that names the key
 */
export function checkScriptFrame(script: Script): void {
  const { machine } = script;
  refuseUnknown('script', script, scriptKeys);
  refuseUnknown('machine', machine, machineKeys);
  for (const [i, node] of machine.nodes.entries()) {
    refuseUnknown(`machine.nodes[${i}]`, node, ['memory']);
    requireSwitch(`machine.nodes[${i}].memory`, node.memory);
  }
  for (const key of switches) requireSwitch(`machine.${key}`, machine[key]);
  requireChoice('machine.ksgxd', machine.ksgxd, ['auto', 'manual']);
  requireChoice('machine.resume', machine.resume, ['auto', 'manual']);
  checkCpus(machine);
  checkSections(machine);
}

function checkCpus({ cpus, nodes }: ScriptMachine): void {
  for (const [i, cpu] of cpus.entries()) {
    refuseUnknown(`machine.cpus[${i}]`, cpu, ['node']);
    requireInteger(`machine.cpus[${i}].node`, cpu.node, 0, nodes.length - 1);
  }
}

function checkSections({ sections, nodes }: ScriptMachine): void {
  const keys = ['node', 'pages', 'bad_type', 'base_page', 'gap_pages'];
  for (const [i, section] of sections.entries()) {
    const place = `machine.sections[${i}]`;
    refuseUnknown(place, section, keys);
    requireInteger(`${place}.node`, section.node, -1, nodes.length - 1);
    requireInteger(`${place}.pages`, section.pages, 0, 2 ** 31 - 2);
    requireSwitch(`${place}.bad_type`, section.bad_type);
  }
}

function refuseUnknown(place: string, object: object, known: readonly string[]): void {
  const unknown = Object.keys(object).find((key) => !known.includes(key));
  if (unknown === undefined) return;
  throw new MisuseError(`${place} has an unknown key '${unknown}'.`, [`known: ${known.join(', ')}`]);
}

function requireInteger(place: string, value: unknown, min: number, max: number): void {
  if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return;
  throw new MisuseError(`${place} must be a whole number from ${min} to ${max}.`, [
    `given: ${JSON.stringify(value)}`,
  ]);
}

function requireSwitch(place: string, value: unknown): void {
  if (value === undefined || typeof value === 'boolean') return;
  throw new MisuseError(`${place} must be true or false.`, [`given: ${JSON.stringify(value)}`]);
}

function requireChoice(place: string, value: unknown, allowed: readonly string[]): void {
  if (value === undefined || allowed.includes(value as string)) return;
  throw new MisuseError(`${place} must be one of: ${allowed.join(', ')}.`, [
    `given: ${JSON.stringify(value)}`,
  ]);
}
