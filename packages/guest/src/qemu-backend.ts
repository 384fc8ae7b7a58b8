import { MisuseError, PAGE_SIZE_BYTES } from '@epckit/interface';

/** A memory backend of EPC. */
export interface QemuBackend {
  /** Its id. */
  readonly id: string;
  /** Its size in pages. */
  readonly pageCount: number;
  /** Does the VMM touch every page before the guest starts? */
  readonly isPreallocated: boolean;
}

/** A property as it stands: text of `name=value`, or what JSON has. */
type Given = ReadonlyMap<string, unknown>;

/** Kinds of values that properties have. */
type Kind = 'text' | 'switch' | 'size' | 'count' | 'nodes' | 'policy';

const EPC_TYPE = 'memory-backend-epc';
const SUFFIXES: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  k: 2 ** 10,
  m: 2 ** 20,
  g: 2 ** 30,
  t: 2 ** 40,
  p: 2 ** 50,
  e: 2 ** 60,
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
const POLICIES = ['default', 'preferred', 'bind', 'interleave'];
/**
 * The properties of a memory backend. Only `id`, `size`, `prealloc` and `share` mean something here: EPC is never merged
 * or dumped, has no swap to be reserved, and a memory policy has no effect on it.
 */
const PROPERTIES: ReadonlyMap<string, Kind> = new Map<string, Kind>([
  ['id', 'text'],
  ['size', 'size'],
  ['prealloc', 'switch'],
  ['share', 'switch'],
  ['prealloc-threads', 'count'],
  ['prealloc-context', 'text'],
  ['reserve', 'switch'],
  ['merge', 'switch'],
  ['dump', 'switch'],
  ['host-nodes', 'nodes'],
  ['policy', 'policy'],
  ['x-use-canonical-path-for-ramblock-id', 'switch'],
]);
/** What is wrong with a value that has not the kind of its property. */
const EXPECTED: Readonly<Record<Kind, string>> = {
  text: 'is text',
  switch: 'is on or off',
  size: 'is a size',
  count: 'is a number above 0',
  nodes: 'names NUMA nodes',
  policy: `is ${POLICIES.slice(0, -1).join(', ')} or ${POLICIES.at(-1)}`,
};
/** What JSON wants where it is stricter than text. */
const JSON_EXPECTED: Readonly<Partial<Record<Kind, string>>> = {
  switch: 'is true or false',
  size: 'is a whole number of bytes',
  nodes: 'is a list of NUMA nodes',
};

/**
 * Reads the value of an `-object` option, which is `type,name=value,…` or JSON.
 *
 * @returns null: it is no memory backend of EPC
 * @throws MisuseError for a property that EPC memory does not have, or a value that is not of its kind
 */
export function readBackend(value: string): QemuBackend | null {
  const isJson = value.trimStart().startsWith('{');
  const given = isJson ? readJson(value) : readPairs(value);
  if (given === null) return null;
  for (const [name, property] of given) {
    const kind = PROPERTIES.get(name);
    if (kind === undefined) throw wrong(value, `'${name}' is no property of EPC memory`);
    const fits = isJson ? fitsJson(kind, property) : fitsText(kind, property as string);
    if (fits) continue;
    const what = isJson ? JSON.stringify(property) : `'${property}'`;
    if (kind === 'size' && !isJson) throw wrong(value, `${what} is no size`);
    const expected = isJson && kind in JSON_EXPECTED ? JSON_EXPECTED[kind] : EXPECTED[kind];
    throw wrong(value, `'${name}' ${expected}, not ${what}`);
  }
  return backendOf(value, given);
}

/** A MisuseError about an option. */
export function wrong(where: string, what: string): MisuseError {
  return new MisuseError(`QEMU option '${where}': ${what}.`, [], {
    hint: 'Give -object memory-backend-epc,id=mem1,size=64M and -M sgx-epc.0.memdev=mem1.',
  });
}

/** Splits `name=value`. */
export function splitPair(property: string): [name: string, text: string | undefined] {
  const at = property.indexOf('=');
  return at < 0 ? [property, undefined] : [property.slice(0, at), property.slice(at + 1)];
}

function backendOf(value: string, given: Given): QemuBackend {
  const [id, size, share, prealloc] = ['id', 'size', 'share', 'prealloc'].map((name) => given.get(name));
  if (typeof id !== 'string' || id === '') throw wrong(value, 'a memory backend needs an id');
  if (size === undefined) throw wrong(value, 'a memory backend needs a size');
  if (share !== undefined && !isOn(share)) throw wrong(value, 'EPC is always shared memory');
  const isPreallocated = prealloc !== undefined && isOn(prealloc);
  return { id, pageCount: pagesOf(value, String(size)), isPreallocated };
}

/** Properties of JSON, or null: the object is of another type. */
function readJson(value: string): Given | null {
  let object: unknown;
  try {
    object = JSON.parse(value);
  } catch {
    throw wrong(value, 'it is no JSON');
  }
  const { 'qom-type': type, ...properties } = object as Readonly<Record<string, unknown>>;
  return type === EPC_TYPE ? new Map(Object.entries(properties)) : null;
}

/** Properties of `type,name=value,…`, or null: the object is of another type. */
function readPairs(value: string): Given | null {
  const [type, ...properties] = value.split(',');
  if (type !== EPC_TYPE && type !== `qom-type=${EPC_TYPE}`) return null;
  const pairs = new Map<string, string>();
  for (const property of properties) {
    const [name, text] = splitPair(property);
    if (text === undefined) throw wrong(value, `'${property}' has no value`);
    // Nodes are a list: host-nodes=0,host-nodes=2, or host-nodes.0=0,host-nodes.1=2.
    const key = name.replace(/^host-nodes\.\d+$/, 'host-nodes');
    if (pairs.has(key) && key !== 'host-nodes') throw wrong(value, `'${name}' is given twice`);
    pairs.set(key, text);
  }
  return pairs;
}

/** Has the text of a property the form of its kind? */
function fitsText(kind: Kind, text: string): boolean {
  switch (kind) {
    case 'text':
      return true;
    case 'switch':
      return Object.hasOwn(SWITCHES, text);
    case 'size':
      return bytesOf(text) !== null;
    case 'count':
      return /^[1-9]\d*$/.test(text);
    case 'nodes':
      return /^\d+(-\d+)?$/.test(text);
    default:
      return POLICIES.includes(text);
  }
}

const isNatural = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;
/** Has the value of a property in JSON the type of its kind? QEMU does not convert text there. */
function fitsJson(kind: Kind, value: unknown): boolean {
  switch (kind) {
    case 'text':
      return typeof value === 'string';
    case 'switch':
      return typeof value === 'boolean';
    case 'size':
      return isNatural(value);
    case 'count':
      return isNatural(value) && value !== 0;
    case 'nodes':
      return Array.isArray(value) && value.every(isNatural);
    default:
      return typeof value === 'string' && POLICIES.includes(value);
  }
}

function isOn(value: unknown): boolean {
  return typeof value === 'string' ? SWITCHES[value] === true : value === true;
}

/** Bytes of a size as QEMU writes it, a fraction too; null: it is none. */
function bytesOf(text: string): number | null {
  if (/^0x[\da-f]+$/i.test(text)) return Number(text);
  const match = /^(\d+(?:\.\d+)?)([bkmgtpe]?)$/i.exec(text);
  if (match === null) return null;
  return Number(match[1]) * (SUFFIXES[(match[2] as string).toLowerCase()] as number);
}

function pagesOf(value: string, text: string): number {
  const bytes = bytesOf(text) as number;
  if (!(bytes > 0)) throw wrong(value, 'a section is larger than 0');
  if (Number.isSafeInteger(bytes) && bytes % PAGE_SIZE_BYTES === 0) return bytes / PAGE_SIZE_BYTES;
  if (bytes > Number.MAX_SAFE_INTEGER) throw wrong(value, `${text} is more than an EPC can have`);
  const unit = /^\d+$/.test(text) ? ' bytes, which is' : ' is';
  throw wrong(value, `size ${text}${unit} no multiple of a page (4 KiB)`);
}
