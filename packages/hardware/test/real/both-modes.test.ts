import type { ByteBlob, HardwareModel, PageContents, TcsFields } from '@epckit/hardware';
import {
  blobFromBytes,
  checkEpcm,
  createByteBlob,
  PAGE_BYTES,
  PcmdOffset,
  resolveFeatures,
  TagContents,
} from '@epckit/hardware';
import { realContents } from '@epckit/hardware/real';
import type { LeafResult, PagingBlob } from '@epckit/interface';
import { Attribute, NONE, PageType, SecInfo } from '@epckit/interface';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { BASE, empty, newBlob, REG_RW, SOURCE, TCS } from '../fixture.js';
import { threadBytes } from './fixture.js';

const PAGES = 14;
const CPUS = 3;
const SLOTS = 4;
const FREE = -1;
const FEATURES = resolveFeatures({ aexNotify: true });
const { SECS, TCS: THREAD, REG, VA } = PageType;
const { R, W, X, PENDING, MODIFIED, PR } = SecInfo;
const LAST_TAG = 20;
/** Offsets that both modes can have different bytes at: a tag is quadword 0, and a debugger writes others. */
const OFFSETS = [0, 8, 1024, 4088];

/** What a TCS of both modes says: two frames, everything else 0. A data page that becomes one has no frame. */
const FIELDS: TcsFields = {
  state: 0n,
  flags: 0n,
  saveArea: 0n,
  frame: 0,
  frameCount: 2,
  entry: 0n,
  exitPointer: 0n,
  fsBase: 0n,
  gsBase: 0n,
  fsLimit: 0,
  gsLimit: 0,
  previousShadowStack: 0n,
  isReservedZero: true,
};
const THREAD_TAG = LAST_TAG + 1;

interface Step {
  readonly kind: keyof typeof operations;
  readonly cpu: number;
  readonly page: number;
  readonly other: number;
  readonly slot: number;
  readonly variant: number;
}

/** Hardware of one mode, and how this mode makes pages and blobs. */
interface Side {
  readonly hardware: HardwareModel;
  readonly contents: PageContents;
  readonly blobs: Map<string, PagingBlob>;
  newBlob(): PagingBlob;
  eadd(cpu: number, page: number, secs: number, linearPage: number, secinfo: number, tag: number): LeafResult;
  tampered(blob: PagingBlob, tamper: number): PagingBlob;
}

function tagSide(): Side {
  const contents = new TagContents();
  for (let tag = 0; tag <= LAST_TAG; tag++) contents.defineThread(tag, { ...FIELDS, frameCount: 0 });
  contents.defineThread(THREAD_TAG, FIELDS);
  const hardware = empty({ pageCount: PAGES, cpuCount: CPUS, features: FEATURES }, { contents });
  return {
    hardware,
    contents,
    blobs: new Map(),
    newBlob,
    eadd: hardware.eadd.bind(hardware),
    tampered: (blob, tamper) => tamperNumbers({ ...blob }, tamper),
  };
}

/** Changes what both kinds of blob have as numbers; 0 changes nothing. */
function tamperNumbers(blob: PagingBlob, tamper: number): PagingBlob {
  if (tamper === 1) blob.linearPage++;
  if (tamper === 2) blob.secinfo ^= 1 << 6;
  if (tamper === 3) blob.secinfo ^= R;
  if (tamper === 4) blob.secinfo ^= SecInfo.R << SecInfo.TYPE_SHIFT;
  if (tamper === 5) blob.enclaveId++;
  if (tamper === 6) blob.macLow ^= 1;
  if (tamper === 7) blob.contents++;
  return blob;
}

function realSide(): Side {
  const contents = realContents();
  const hardware = empty({ pageCount: PAGES, cpuCount: CPUS, features: FEATURES }, { contents });
  return {
    hardware,
    contents,
    blobs: new Map(),
    newBlob: createByteBlob,
    eadd: (cpu, page, secs, linearPage, secinfo, tag) =>
      hardware.eaddBytes(cpu, page, secs, linearPage, secinfo, bytesOf(tag)),
    tampered: (blob, tamper) => {
      const { page, pcmd, linearPage } = blob as ByteBlob;
      const changed = blobFromBytes(page, pcmd, linearPage);
      const flip = (bytes: Uint8Array, at: number, mask: number) =>
        (bytes[at] = (bytes[at] as number) ^ mask);
      if (tamper === 2) flip(changed.pcmd, PcmdOffset.SECINFO, 1 << 6);
      if (tamper === 3) flip(changed.pcmd, PcmdOffset.SECINFO, R);
      if (tamper === 4) flip(changed.pcmd, PcmdOffset.SECINFO + 1, 1);
      if (tamper === 5) flip(changed.pcmd, PcmdOffset.ENCLAVEID, 1);
      if (tamper === 6) flip(changed.pcmd, PcmdOffset.MAC, 1);
      if (tamper === 7) flip(changed.page, 2000, 1);
      return blobFromBytes(changed.page, changed.pcmd, linearPage + (tamper === 1 ? 1 : 0));
    },
  };
}

/** The bytes that the tag mode takes a tag for. */
function bytesOf(tag: number): Uint8Array {
  if (tag === THREAD_TAG) return threadBytes(FIELDS.frameCount);
  const bytes = new Uint8Array(PAGE_BYTES);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(tag), true);
  return bytes;
}

/** Pages of a type, or any page if there are none. */
function pick({ hardware }: Side, type: number, number: number): number {
  const found = [...Array(PAGES).keys()].filter((page) => {
    const entry = hardware.entry(page);
    return type === FREE ? !entry.valid : entry.valid && entry.type === type;
  });
  return found[number % Math.max(found.length, 1)] ?? number % PAGES;
}

/** A child page of the enclave that the processor is in, or else any page. */
function own({ hardware }: Side, { cpu, page }: Step, flags = 0): number {
  const secs = hardware.insideOf(cpu);
  const found = [...Array(PAGES).keys()].filter((child) => {
    const entry = hardware.entry(child);
    return secs >= 0 && entry.secs === secs && (entry.flags & flags) === flags;
  });
  return found[page % Math.max(found.length, 1)] ?? page;
}

const linearOf = ({ hardware }: Side, page: number) => hardware.entry(page).linearPage;
const leaf = ({ hardware }: Side) => hardware;

/** Loads a blob that is known, mostly with its SECS and from its slot. Variant 8 gives or omits the SECS wrongly. */
function load(side: Side, step: Step, name: 'eldu' | 'eldb' | 'eldbc' | 'elduc'): unknown {
  const [key, known] = [...side.blobs][step.page % Math.max(side.blobs.size, 1)] ?? [];
  if (key === undefined || known === undefined) return 'no blob';
  const [va = 0, slot = 0] =
    step.slot === 3 ? [pick(side, VA, step.other), step.other] : key.split(':').map(Number);
  const blob = side.tampered(known, step.variant);
  const type = blob.secinfo >> SecInfo.TYPE_SHIFT;
  const isChild = type !== SECS && type !== VA;
  const secs = isChild !== (step.variant === 8) ? secsOf(side, known.enclaveId, step.page) : NONE;
  return leaf(side)[name](step.cpu, pick(side, FREE, step.page), secs, va, slot, blob);
}

function secsOf(side: Side, enclaveId: number, number: number): number {
  const { hardware } = side;
  const found = [...Array(PAGES).keys()].find((page) => {
    const { valid, type } = hardware.entry(page);
    return valid && type === SECS && hardware.enclave(page).enclaveId === enclaveId;
  });
  return found ?? pick(side, SECS, number);
}

const mostlyIntact = (step: Step): Step => ({ ...step, variant: step.variant < 5 ? 0 : step.variant });

const REQUESTS = [
  REG_RW | PENDING,
  REG_RW | PR,
  R | PR | (REG << SecInfo.TYPE_SHIFT),
  MODIFIED | (PageType.TRIM << SecInfo.TYPE_SHIFT),
  MODIFIED | TCS,
];
const request = ({ variant }: Step) => REQUESTS[variant % REQUESTS.length] as number;
const rights = ({ variant }: Step) => (variant & (R | W | X)) | (REG << SecInfo.TYPE_SHIFT);

const operations = {
  ecreate: (s: Side, { cpu, page, variant }: Step) => {
    const attributes = Attribute.MODE64BIT | (variant % 2 === 0 ? Attribute.DEBUG : 0);
    return leaf(s).ecreate(cpu, pick(s, FREE, page), { ...SOURCE, attributes });
  },
  epa: (s: Side, { cpu, page }: Step) => leaf(s).epa(cpu, pick(s, FREE, page)),
  eadd: (s: Side, { cpu, page, other, variant }: Step) => {
    const [secinfo, tag] = variant < 3 ? [TCS, THREAD_TAG] : [REG_RW, page];
    return s.eadd(cpu, pick(s, FREE, page), pick(s, SECS, other), BASE + variant, secinfo, tag);
  },
  eextend: (s: Side, { cpu, page, slot }: Step) => {
    const target = pick(s, REG, page);
    return leaf(s).eextend(cpu, target, leaf(s).entry(target).secs, slot * 4);
  },
  einit: (s: Side, { cpu, other }: Step) => leaf(s).einit(cpu, pick(s, SECS, other), {}),
  eblock: (s: Side, { cpu, page }: Step) => leaf(s).eblock(cpu, page),
  etrack: (s: Side, { cpu, other }: Step) => leaf(s).etrack(cpu, pick(s, SECS, other)),
  etrackc: (s: Side, { cpu, page }: Step) => leaf(s).etrackc(cpu, page),
  ewb: (s: Side, { cpu, page, other, slot }: Step) => {
    const va = pick(s, VA, other);
    const blob = s.newBlob();
    const result = leaf(s).ewb(cpu, page, va, slot, blob);
    if (result !== 0 && result !== 12) return result;
    s.blobs.set(`${va}:${slot}`, blob);
    return [result, blob.secinfo, blob.enclaveId, blob.linearPage];
  },
  eldu: (s: Side, step: Step) => load(s, mostlyIntact(step), 'eldu'),
  tampered: (s: Side, step: Step) => load(s, step, 'eldu'),
  eldb: (s: Side, step: Step) => load(s, { ...step, variant: 0 }, 'eldb'),
  eldbc: (s: Side, step: Step) => load(s, mostlyIntact(step), 'eldbc'),
  elduc: (s: Side, step: Step) => load(s, mostlyIntact(step), 'elduc'),
  eremove: (s: Side, { cpu, page }: Step) => leaf(s).eremove(cpu, page),
  eaug: (s: Side, { cpu, page, other, variant }: Step) =>
    leaf(s).eaug(cpu, pick(s, FREE, page), pick(s, SECS, other), BASE + variant, 0),
  emodpr: (s: Side, step: Step) => leaf(s).emodpr(step.cpu, pick(s, REG, step.page), rights(step)),
  emodt: (s: Side, { cpu, page, variant }: Step) => {
    const type = variant < 3 ? THREAD : PageType.TRIM;
    return leaf(s).emodt(cpu, pick(s, REG, page), type << SecInfo.TYPE_SHIFT);
  },
  eaccept: (s: Side, step: Step) => {
    const page = own(s, step);
    return leaf(s).eaccept(step.cpu, page, linearOf(s, page), request(step));
  },
  emodpe: (s: Side, step: Step) => {
    const page = own(s, step);
    return leaf(s).emodpe(step.cpu, page, linearOf(s, page), rights(step));
  },
  eacceptcopy: (s: Side, step: Step) => {
    const page = own(s, step, step.variant < 6 ? PENDING : 0);
    const source = own(s, { ...step, page: step.page + step.slot }, R);
    return leaf(s).eacceptcopy(step.cpu, page, linearOf(s, page), source, linearOf(s, source), REG_RW);
  },
  edbgrd: (s: Side, { cpu, page, slot }: Step) => {
    const word = { value: 0n };
    const offset = OFFSETS[slot] as number;
    return [leaf(s).edbgrd(cpu, page, offset, word), word.value];
  },
  edbgwr: (s: Side, { cpu, page, slot, variant }: Step) =>
    leaf(s).edbgwr(cpu, page, OFFSETS[slot] as number, BigInt(variant)),
  eenter: (s: Side, { cpu, page }: Step) => {
    const tcs = pick(s, THREAD, page);
    return leaf(s).eenter(cpu, tcs, linearOf(s, tcs));
  },
  eresume: (s: Side, { cpu, page }: Step) => {
    const tcs = pick(s, THREAD, page);
    return leaf(s).eresume(cpu, tcs, linearOf(s, tcs));
  },
  eexit: (s: Side, { cpu }: Step) => leaf(s).eexit(cpu),
  aex: (s: Side, { cpu }: Step) => leaf(s).aex(cpu),
  edeccssa: (s: Side, { cpu }: Step) => leaf(s).edeccssa(cpu),
  powerCycle: (s: Side, { variant }: Step) => {
    if (variant === 0) leaf(s).powerCycle();
    return variant === 0 ? leaf(s).eupdatesvn(0) : 0;
  },
};

/** Two enclaves, one of them running, and room for more. */
const furnish = (side: Side): LeafResult[] => [
  side.hardware.epa(0, 0),
  side.hardware.ecreate(0, 1, { ...SOURCE, attributes: Attribute.MODE64BIT | Attribute.DEBUG }),
  side.eadd(0, 2, 1, BASE, TCS, THREAD_TAG),
  side.eadd(0, 3, 1, BASE + 1, TCS, THREAD_TAG),
  side.eadd(0, 4, 1, BASE + 2, REG_RW, 4),
  side.eadd(0, 5, 1, BASE + 3, REG_RW, 5),
  side.hardware.einit(0, 1, {}),
  side.hardware.ecreate(0, 6, SOURCE),
  side.eadd(0, 7, 6, BASE + 2, REG_RW, 7),
  side.hardware.epa(0, 8),
];

/** All that can be observed, with the words of data pages for the handles, which differ between the modes. */
function observe({ hardware, contents }: Side): string {
  const pages = [...Array(PAGES).keys()].map((page) => {
    const { contents: handle, ...entry } = hardware.entry(page);
    if (!entry.valid) return entry;
    if (entry.type === SECS) return [entry, hardware.enclave(page), hardware.tracking(page)];
    if (entry.type === VA) return [entry, [0, 1, 2, 3].map((slot) => hardware.versionIn(page, slot))];
    if (entry.type === THREAD) return [entry, contents.frame(handle)];
    return [entry, OFFSETS.map((offset) => contents.read(handle, offset))];
  });
  const inside = [...Array(CPUS).keys()].map((cpu) => hardware.tcsOf(cpu));
  const rest = [hardware.changes, hardware.savedImages, hardware.lastEnclaveId, hardware.faultOperand];
  const plain = (_: string, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value);
  return JSON.stringify([pages, inside, rest], plain);
}

/** Measurements of the enclaves that are left; a difference lasts as long as its enclave. */
function measurements({ hardware }: Side): string[] {
  const pages = [...Array(PAGES).keys()].filter((page) => {
    return hardware.isValid(page) && hardware.entry(page).type === SECS;
  });
  return pages.map((page) => hardware.measurement(page));
}

const names = Object.keys(operations) as Step['kind'][];
const weights: Partial<Record<Step['kind'], number>> = {
  eblock: 5,
  etrack: 4,
  ewb: 7,
  eldu: 6,
  tampered: 3,
  eenter: 4,
  eaug: 3,
  eacceptcopy: 3,
  eaccept: 3,
  edeccssa: 3,
  aex: 3,
  eresume: 2,
};
const steps = fc.array(
  fc.record<Step>({
    kind: fc.oneof(...names.map((name) => ({ weight: weights[name] ?? 1, arbitrary: fc.constant(name) }))),
    cpu: fc.nat(CPUS - 1),
    page: fc.nat(PAGES - 1),
    other: fc.nat(2),
    slot: fc.nat(SLOTS - 1),
    variant: fc.nat(8),
  }),
  { minLength: 20, maxLength: 120, size: 'max' },
);

it('random leaves have the same outcomes with tags and with bytes', () => {
  const succeeded = new Map<string, number>();
  const property = fc.property(steps, (list) => {
    const tags = tagSide();
    const bytes = realSide();
    expect(furnish(bytes)).toEqual(furnish(tags));
    for (const step of list) {
      const outcome = operations[step.kind](tags, step);
      expect([step, operations[step.kind](bytes, step)]).toEqual([step, outcome]);
      expect(observe(bytes)).toBe(observe(tags));
      const result = Array.isArray(outcome) ? outcome[0] : outcome;
      if (result === 0) succeeded.set(step.kind, (succeeded.get(step.kind) ?? 0) + 1);
    }
    expect(measurements(bytes)).toEqual(measurements(tags));
    expect(checkEpcm(bytes.hardware)).toEqual([]);
  });
  fc.assert(property, { numRuns: 200, seed: 4 });
  const unreached = names.filter((name) => name !== 'aex' && name !== 'powerCycle' && !succeeded.has(name));
  expect(unreached).toEqual([]);
}, 30_000);
