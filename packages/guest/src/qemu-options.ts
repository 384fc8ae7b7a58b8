import type { NodeId } from '@epckit/interface';
import type { QemuBackend } from './qemu-backend.js';
import { readBackend, splitPair, wrong } from './qemu-backend.js';
import { wordsOf } from './qemu-words.js';
import type { SectionOptions } from './virtual-machine-options.js';

/** An EPC section as QEMU's command line describes it. */
export interface QemuEpcSection extends Required<SectionOptions> {
  /** Id of its memory backend. */
  readonly id: string;
}

/** What the machine says of one section. */
interface Place {
  memdev?: string;
  node?: NodeId;
}

const EPC_PROPERTY = /^sgx-epc\.(\d+)\.(memdev|node)$/;

/**
 * Reads the EPC options of a QEMU command line: `-object memory-backend-epc,id=mem1,size=64M,prealloc=on`, or the same as
 * JSON, and `-M sgx-epc.0.memdev=mem1,sgx-epc.0.node=0`. Other options are skipped, and other properties of the machine;
 * so are properties of the memory that mean nothing for EPC.
 *
 * A size without suffix is in bytes, as in QEMU for objects: only `-m` is in MiB. `given` may be a line of text, with
 * quotes as for a shell, or its words.
 *
 * @returns sections in their order, which is that of their guest-physical addresses
 * @throws MisuseError with one reason for the first thing that is wrong
 */
export function parseQemuEpc(given: string | readonly string[]): QemuEpcSection[] {
  const words = typeof given === 'string' ? wordsOf(given) : given;
  const backends = new Map<string, QemuBackend>();
  const places = new Map<number, Place>();
  for (let at = 0; at < words.length; at++) {
    const option = (words[at] as string).replace(/^--/, '-');
    if (option !== '-object' && option !== '-M' && option !== '-machine') continue;
    const value = words[++at];
    if (value === undefined) throw wrong(option, 'the option has no value');
    if (option !== '-object') readMachine(value, places);
    else {
      const backend = readBackend(value);
      if (backend === null) continue;
      if (backends.has(backend.id)) throw wrong(value, `there is a backend '${backend.id}' already`);
      backends.set(backend.id, backend);
    }
  }
  return combine(backends, places);
}

function readMachine(value: string, places: Map<number, Place>): void {
  for (const property of value.split(',')) {
    const [name, text = ''] = splitPair(property);
    const match = EPC_PROPERTY.exec(name);
    if (match === null) {
      if (name.startsWith('sgx-epc')) throw wrong(property, `'${name}' is no property of a section`);
      continue;
    }
    const index = Number(match[1]);
    const place = places.get(index) ?? {};
    places.set(index, place);
    if (match[2] === 'memdev') {
      if (place.memdev !== undefined) throw wrong(property, `section ${index} has a backend already`);
      place.memdev = text;
    } else {
      if (!/^\d+$/.test(text)) throw wrong(property, `'${text}' is no NUMA node`);
      if (place.node !== undefined) throw wrong(property, `section ${index} has a node already`);
      place.node = Number(text);
    }
  }
}

function combine(
  backends: ReadonlyMap<string, QemuBackend>,
  places: ReadonlyMap<number, Place>,
): QemuEpcSection[] {
  const used = new Map<string, number>();
  const result: QemuEpcSection[] = [];
  for (let index = 0; index < places.size; index++) {
    const place = places.get(index);
    const option = `sgx-epc.${index}`;
    if (place === undefined)
      throw wrong(option, `sections are numbered from 0 without gaps, and ${index} is missing`);
    const { memdev, node = 0 } = place;
    if (memdev === undefined || memdev === '') throw wrong(option, `section ${index} needs a memdev`);
    const backend = backends.get(memdev);
    if (backend === undefined) throw wrong(option, `there is no memory backend '${memdev}'`);
    const other = used.get(memdev);
    if (other !== undefined) throw wrong(option, `backend '${memdev}' is that of section ${other}`);
    used.set(memdev, index);
    result.push({ ...backend, node });
  }
  for (const id of backends.keys()) {
    if (!used.has(id)) throw wrong(id, `no section uses memory backend '${id}'`);
  }
  return result;
}
