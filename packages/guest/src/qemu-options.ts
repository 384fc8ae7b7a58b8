import type { NodeId } from '@epckit/interface';
import { MisuseError, PAGE_SIZE_BYTES } from '@epckit/interface';
import type { SectionOptions } from './virtual-machine-options.js';

/** An EPC section as QEMU's command line describes it. */
export interface QemuEpcSection extends Required<SectionOptions> {
  /** Id of its memory backend. */
  readonly id: string;
}

/** One memory backend of the command line. */
interface Backend {
  readonly pageCount: number;
  readonly isPreallocated: boolean;
}

const SUFFIXES: Readonly<Record<string, number>> = {
  '': 2 ** 20,
  b: 1,
  k: 2 ** 10,
  m: 2 ** 20,
  g: 2 ** 30,
  t: 2 ** 40,
};
const SWITCHES: Readonly<Record<string, boolean>> = {
  on: true,
  yes: true,
  true: true,
  y: true,
  off: false,
  no: false,
  false: false,
  n: false,
};
const EPC_PROPERTY = /^sgx-epc\.(\d+)\.(memdev|node)$/;

/**
 * Reads the EPC options of a QEMU command line: `-object memory-backend-epc,id=mem1,size=64M,prealloc=on` and
 * `-M sgx-epc.0.memdev=mem1,sgx-epc.0.node=0`. Other options are skipped, and other properties of the machine.
 *
 * A size without suffix is in MiB, as in QEMU. `given` may be a line of text or its words.
 *
 * @returns sections in their order, which is that of their guest-physical addresses
 * @throws MisuseError with one reason for the first thing that is wrong
 */
export function parseQemuEpc(given: string | readonly string[]): QemuEpcSection[] {
  const words = typeof given === 'string' ? given.split(/\s+/).filter((word) => word !== '') : given;
  const backends = new Map<string, Backend>();
  const sections = new Map<number, { memdev?: string; node?: NodeId }>();
  for (let at = 0; at < words.length; at++) {
    const option = (words[at] as string).replace(/^--/, '-');
    if (option !== '-object' && option !== '-M' && option !== '-machine') continue;
    const value = words[++at];
    if (value === undefined) throw wrong(option, 'the option has no value');
    if (option === '-object') readBackend(value, backends);
    else readMachine(value, sections);
  }
  return combine(backends, sections);
}

function readBackend(value: string, backends: Map<string, Backend>): void {
  const [type, ...properties] = value.split(',');
  if (type !== 'memory-backend-epc' && type !== 'qom-type=memory-backend-epc') return;
  const known = pairsOf(value, properties);
  const id = known.get('id');
  const size = known.get('size');
  if (id === undefined || id === '') throw wrong(value, 'a memory backend needs an id');
  if (size === undefined) throw wrong(value, 'a memory backend needs a size');
  if (backends.has(id)) throw wrong(value, `there is a backend '${id}' already`);
  if (known.get('share') !== undefined && switchOf(value, 'share', known.get('share') as string) === false) {
    throw wrong(value, 'EPC is always shared memory');
  }
  for (const name of known.keys()) {
    if (!['id', 'size', 'prealloc', 'share'].includes(name))
      throw wrong(value, `'${name}' is no property of EPC memory`);
  }
  const prealloc = known.get('prealloc');
  const isPreallocated = prealloc !== undefined && switchOf(value, 'prealloc', prealloc);
  backends.set(id, { pageCount: pagesOf(value, size), isPreallocated });
}

function readMachine(value: string, sections: Map<number, { memdev?: string; node?: NodeId }>): void {
  for (const property of value.split(',')) {
    const [name, text = ''] = splitPair(property);
    const match = EPC_PROPERTY.exec(name);
    if (match === null) {
      if (name.startsWith('sgx-epc')) throw wrong(property, `'${name}' is no property of a section`);
      continue;
    }
    const index = Number(match[1]);
    const section = sections.get(index) ?? {};
    sections.set(index, section);
    if (match[2] === 'memdev') {
      if (section.memdev !== undefined) throw wrong(property, `section ${index} has a backend already`);
      section.memdev = text;
    } else {
      if (!/^\d+$/.test(text)) throw wrong(property, `'${text}' is no NUMA node`);
      section.node = Number(text);
    }
  }
}

function combine(
  backends: ReadonlyMap<string, Backend>,
  sections: ReadonlyMap<number, { memdev?: string; node?: NodeId }>,
): QemuEpcSection[] {
  const used = new Map<string, number>();
  const result: QemuEpcSection[] = [];
  for (let index = 0; index < sections.size; index++) {
    const section = sections.get(index);
    const option = `sgx-epc.${index}`;
    if (section === undefined)
      throw wrong(option, `sections are numbered from 0 without gaps, and ${index} is missing`);
    const { memdev, node = 0 } = section;
    if (memdev === undefined || memdev === '') throw wrong(option, `section ${index} needs a memdev`);
    const backend = backends.get(memdev);
    if (backend === undefined) throw wrong(option, `there is no memory backend '${memdev}'`);
    const other = used.get(memdev);
    if (other !== undefined) throw wrong(option, `backend '${memdev}' is that of section ${other}`);
    used.set(memdev, index);
    result.push({ id: memdev, node, ...backend });
  }
  for (const id of backends.keys()) {
    if (!used.has(id)) throw wrong(id, `no section uses memory backend '${id}'`);
  }
  return result;
}

function pairsOf(value: string, properties: readonly string[]): Map<string, string> {
  const pairs = new Map<string, string>();
  for (const property of properties) {
    const [name, text] = splitPair(property);
    if (text === undefined) throw wrong(value, `'${property}' has no value`);
    if (pairs.has(name)) throw wrong(value, `'${name}' is given twice`);
    pairs.set(name, text);
  }
  return pairs;
}

function splitPair(property: string): [name: string, text: string | undefined] {
  const at = property.indexOf('=');
  return at < 0 ? [property, undefined] : [property.slice(0, at), property.slice(at + 1)];
}

function switchOf(value: string, name: string, text: string): boolean {
  const isOn = SWITCHES[text];
  if (isOn === undefined) throw wrong(value, `'${name}' is on or off, not '${text}'`);
  return isOn;
}

function pagesOf(value: string, text: string): number {
  const match = /^(\d+(?:\.\d+)?)([bkmgt]?)$/i.exec(text);
  if (match === null) throw wrong(value, `'${text}' is no size`);
  const bytes = Number(match[1]) * (SUFFIXES[(match[2] as string).toLowerCase()] as number);
  if (!(bytes > 0)) throw wrong(value, 'a section is larger than 0');
  if (!Number.isSafeInteger(bytes) || bytes % PAGE_SIZE_BYTES !== 0) {
    throw wrong(value, `${text} is no multiple of 4 KiB`);
  }
  return bytes / PAGE_SIZE_BYTES;
}

function wrong(where: string, what: string): MisuseError {
  return new MisuseError(`QEMU option '${where}': ${what}.`, [], {
    hint: 'Give -object memory-backend-epc,id=mem1,size=64M and -M sgx-epc.0.memdev=mem1.',
  });
}
