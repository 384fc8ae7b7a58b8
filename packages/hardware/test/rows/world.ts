import { createHash } from 'node:crypto';
import type {
  HardwareModel,
  InitTokenVerdicts,
  Outcome,
  PageContents,
  Processor,
  Registers,
  SgxFeatureOptions,
} from '@epckit/hardware';
import {
  createByteBlob,
  createProcessor,
  createRegisters,
  createSgxHardware,
  decodePageInfo,
  encodePageInfo,
  encodeSecInfo,
  FlatMemory,
  PAGE_BYTES,
} from '@epckit/hardware';
import { realContents } from '@epckit/hardware/real';
import type { LeafId } from '@epckit/interface';
import { Attribute, Leaf, NONE, PageType, SecInfo } from '@epckit/interface';
import { expect } from 'vitest';
import { createObjects } from '../fixture.js';

/** ELRANGE of both enclaves. */
export const BASE = 0x4000_0000n;
export const BASE_PAGE = Number(BASE >> 12n);
const ELRANGE_PAGES = 16;
/** Address of the page with this offset in ELRANGE. */
export const lin = (offset: number): bigint => BASE + BigInt(offset) * 4096n;
/** Its page number. */
export const linPage = (offset: number): number => BASE_PAGE + offset;

/** EPC pages of a furnished world. Enclave A is initialised and for debugging, enclave B is being built. */
export const at = {
  va: 0,
  va2: 1,
  secs: 2,
  tcs: 3,
  ssa: 4,
  ssa2: 5,
  info: 6,
  p: 7,
  q: 8,
  tcs2: 9,
  fetchOnly: 10,
  pending: 11,
  secsB: 12,
  pB: 13,
  tcsB: 14,
  free: 16,
  free2: 17,
} as const;

/** Offsets of enclave pages in ELRANGE; `hole` is mapped to nothing. */
export const off = {
  tcs: 0,
  ssa: 1,
  ssa2: 2,
  info: 3,
  p: 4,
  q: 5,
  tcs2: 6,
  pending: 7,
  fetchOnly: 8,
  hole: 9,
} as const;

/** Ordinary memory; `hole` is mapped to nothing. */
export const mem = {
  pageInfo: 0x1_0000n,
  secInfo: 0x1_0040n,
  secs: 0x2_0000n,
  source: 0x2_1000n,
  pcmd: 0x2_2000n,
  sigStruct: 0x2_3000n,
  token: 0x2_4000n,
  rdInfo: 0x2_5000n,
  context: 0x2_6000n,
  ciphertext: 0x2_7000n,
  spare: 0x2_8000n,
  hole: 0x9_0000n,
} as const;
const ORDINARY = [0x1_0000n, ...Array.from({ length: 9 }, (_, page) => 0x2_0000n + BigInt(page) * 4096n)];

/** The return address that entries are given. */
export const AEP = 0x3000n;
export const WILD = 0x8000_0000_0000n;

const { R, W, X } = SecInfo;
export const typed = (type: number, bits = 0): number => bits | (type << SecInfo.TYPE_SHIFT);
export const REG_RW = typed(PageType.REG, R | W);
export const REG_R = typed(PageType.REG, R);
export const TCS = typed(PageType.TCS);
export const TRIM = typed(PageType.TRIM);

/** How a world differs from the usual one. */
export interface WorldOptions {
  readonly features?: SgxFeatureOptions | undefined;
  readonly ssaFrameSize?: number | undefined;
  readonly attributes?: number | undefined;
  readonly miscSelect?: number | undefined;
  readonly keepsTlbs?: boolean | undefined;
  readonly survivesMachineChecks?: boolean | undefined;
}

/** One machine, and the instruction that is about to run on CPU 0. */
export interface World {
  readonly hardware: HardwareModel;
  readonly contents: PageContents;
  readonly memory: FlatMemory;
  readonly processor: Processor;
  readonly registers: Registers;
  /** What the verifiers of EINIT say. */
  readonly verdicts: { signature: boolean; token: InitTokenVerdicts };
  instruction: 'encls' | 'enclv' | 'enclu';
}

/** The features of the usual world: everything but CET. */
const FEATURES: SgxFeatureOptions = { kss: true, exinfo: true, aexNotify: true };

function emptyWorld(options: WorldOptions): World {
  const features = { ...FEATURES, ...options.features };
  const memory = new FlatMemory({ pageCount: 24, windowBase: 0x1000_0000_0000n });
  const contents = realContents({ cet: features.cet });
  const walk = (cpu: number, page: number) => memory.lookup(cpu, page)?.page ?? NONE;
  const hardware = createSgxHardware(
    { pageCount: 24, cpuCount: 4, features, keepsTlbs: options.keepsTlbs },
    { objects: createObjects(), monitor: null, probe: null, contents, walk },
  );
  const verdicts = { signature: true, token: {} as InitTokenVerdicts };
  const processor = createProcessor(
    { hardware, contents, memory },
    {
      verifySigStruct: () => verdicts.signature,
      verifyInitToken: () => verdicts.token,
      survivesMachineChecks: options.survivesMachineChecks,
    },
  );
  const flags = { zf: true, cf: true, pf: true, af: true, of: true, sf: true };
  const registers = createRegisters({ rip: 0x7000n, flags });
  return { hardware, contents, memory, processor, registers, verdicts, instruction: 'encls' };
}

/** A machine with the pages of {@link at}, all set up by leaf functions. */
export function createWorld(options: WorldOptions = {}): World {
  const w = emptyWorld(options);
  for (const address of ORDINARY) w.memory.mapOrdinary(address);
  furnish(w, options);
  for (const [name, offset] of Object.entries(off)) {
    if (name !== 'hole') w.memory.mapEpc(lin(offset), at[name as Exclude<keyof typeof off, 'hole'>]);
  }
  return w;
}

function furnish({ hardware: h }: World, options: WorldOptions): void {
  const { ssaFrameSize = 1, attributes = 0, miscSelect = 0 } = options;
  const source = { basePage: BASE_PAGE, pageCount: ELRANGE_PAGES, ssaFrameSize, miscSelect };
  const page = (fill: number) => new Uint8Array(PAGE_BYTES).fill(fill);
  const tcs = tcsBytes({ frameCount: 2 / ssaFrameSize });
  const add = (target: number, secs: number, offset: number, secinfo: number, bytes: Uint8Array) =>
    h.eaddBytes(0, target, secs, linPage(offset), secinfo, bytes);
  const results = [
    h.epa(0, at.va),
    h.epa(0, at.va2),
    h.ecreate(0, at.secs, { ...source, attributes: Attribute.MODE64BIT | Attribute.DEBUG | attributes }),
    add(at.tcs, at.secs, off.tcs, TCS, tcs),
    add(at.ssa, at.secs, off.ssa, REG_RW, page(0)),
    add(at.ssa2, at.secs, off.ssa2, REG_RW, page(0)),
    add(at.info, at.secs, off.info, REG_RW, page(0)),
    add(at.p, at.secs, off.p, REG_RW, page(1)),
    add(at.q, at.secs, off.q, typed(PageType.REG, R | W | X), page(2)),
    add(at.tcs2, at.secs, off.tcs2, TCS, tcs),
    add(at.fetchOnly, at.secs, off.fetchOnly, typed(PageType.REG, X), page(3)),
    h.einit(0, at.secs, {}),
    h.features.sgx2 ? h.eaug(0, at.pending, at.secs, linPage(off.pending), 0) : 0,
    h.ecreate(0, at.secsB, { ...source, attributes: Attribute.MODE64BIT }),
    add(at.pB, at.secsB, off.p, REG_RW, page(4)),
    add(at.tcsB, at.secsB, off.tcs, TCS, tcs),
  ];
  expect(results).toEqual(results.map(() => 0));
}

/** The 4096 bytes of a TCS whose frames begin behind it. */
export function tcsBytes({ frameCount = 2 }: { frameCount?: number } = {}): Uint8Array {
  const bytes = new Uint8Array(PAGE_BYTES);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(16, BigInt(off.ssa) * 4096n, true);
  view.setUint32(28, frameCount, true);
  view.setBigUint64(32, BigInt(off.p) * 4096n, true);
  view.setUint32(64, 0xfff, true);
  view.setUint32(68, 0xfff, true);
  return bytes;
}

/** Address of an EPC page in the window. */
export const epc = (w: World, page: number): bigint => w.memory.epcAddress(page);

/** Sets up ENCLS with its registers, on a kernel's processor. */
export function encls(w: World, leaf: LeafId, operands: Partial<Registers> = {}): void {
  w.instruction = 'encls';
  w.processor.logical(0).cpl = 0;
  Object.assign(w.registers, { rax: 0xabcd_0000_0000n | BigInt(leaf) }, operands);
}
/** Sets up ENCLV, on a host's processor unless it is in a guest already. */
export function enclv(w: World, leaf: LeafId, operands: Partial<Registers> = {}): void {
  const lp = w.processor.logical(0);
  encls(w, leaf, operands);
  w.instruction = 'enclv';
  if (lp.vmx === 'off') lp.vmx = 'root';
  w.registers.rax = BigInt(leaf & 0xff);
}
/** Sets up ENCLU, on a user's processor. */
export function enclu(w: World, leaf: LeafId, operands: Partial<Registers> = {}): void {
  encls(w, leaf, operands);
  w.instruction = 'enclu';
  w.processor.logical(0).cpl = 3;
  w.registers.rax = BigInt(leaf & 0xff);
}
/** Runs the instruction that was set up. */
export const run = (w: World): Outcome => w.processor[w.instruction](0, w.registers);

/** Enters enclave A on CPU 0; the instruction that was set up stays. */
export function enter(w: World, tcs: bigint = lin(off.tcs)): void {
  const registers = createRegisters({ rax: BigInt(Leaf.EENTER & 0xff), rbx: tcs, rcx: AEP, rip: 0x7000n });
  w.processor.logical(0).cpl = 3;
  expect(w.processor.enclu(0, registers)).toEqual({ kind: 'done' });
}
/** Leaves and enters again, so that what CPU 0 holds of an earlier epoch is gone. */
export function renew(w: World): void {
  w.hardware.eexit(0);
  enter(w);
}
/** Makes CPU 0 a guest's, with EPC virtualization extensions. */
export function inGuest(w: World): void {
  Object.assign(w.processor.logical(0), { vmx: 'non-root', hasEpcExtensions: true, enclvExiting: 0n });
}

/** Changes some fields of PAGEINFO. */
export function setInfo(w: World, fields: Partial<ReturnType<typeof decodePageInfo>>): void {
  const now = decodePageInfo(w.memory.read(0, mem.pageInfo, 32));
  w.memory.write(0, mem.pageInfo, encodePageInfo({ ...now, ...fields }));
}
/** Replaces SECINFO in ordinary memory. */
export function setSecInfo(w: World, flags: number | bigint): void {
  w.memory.write(0, mem.secInfo, encodeSecInfo(flags));
}
/** Puts a SECINFO into the enclave's page for it. */
export function setEnclaveSecInfo(w: World, flags: number | bigint): void {
  poke(w, at.info, 0, BigInt(flags));
}
/** Writes 8 bytes into an EPC page, as its enclave could. */
export function poke(w: World, page: number, offset: number, value: bigint): void {
  w.contents.write(w.hardware.entry(page).contents, offset, value);
}
/** Reads 8 bytes of an EPC page. */
export function peek(w: World, page: number, offset: number): bigint {
  return w.contents.read(w.hardware.entry(page).contents, offset);
}
/** Writes into ordinary memory. */
export function patch(w: World, address: bigint, ...bytes: number[]): void {
  w.memory.write(0, address, Uint8Array.from(bytes));
}
/** Blocks and tracks a page with leaf functions. */
export function track(w: World, page: number): void {
  expect(w.hardware.eblock(0, page)).toBe(0);
  expect(w.hardware.etrack(0, w.hardware.entry(page).secs)).toBe(0);
}
/** Writes a page out into `ciphertext` and `pcmd`, its version into a slot of the first VA page. */
export function evict(w: World, page: number, slot = 0): void {
  const blob = createByteBlob();
  const { secs, linearPage } = w.hardware.entry(page);
  if (secs !== NONE) track(w, page);
  expect(w.hardware.ewb(0, page, at.va, slot, blob)).toBe(0);
  w.memory.write(0, mem.ciphertext, blob.page);
  w.memory.write(0, mem.pcmd, blob.pcmd);
  setInfo(w, {
    linearAddress: BigInt(linearPage) * 4096n,
    source: mem.ciphertext,
    metadata: mem.pcmd,
    secs: secs === NONE ? 0n : epc(w, secs),
  });
}

const digest = (bytes: Uint8Array): string => createHash('sha1').update(bytes).digest('hex');

function describePage({ hardware: h, contents }: World, page: number): unknown {
  const { contents: handle, ...entry } = h.entry(page);
  const isSecs = entry.valid && entry.type === PageType.SECS;
  const bytes = new Uint8Array(PAGE_BYTES);
  if (entry.secs !== NONE) {
    for (let offset = 0; offset < PAGE_BYTES; offset += 256) {
      contents.measure(handle, offset, bytes.subarray(offset, offset + 256));
    }
  }
  const secs = isSecs && [h.tracking(page), h.enclave(page), h.measurement(page), h.virtualChildren(page)];
  const slots = entry.type === PageType.VA && Array.from({ length: 8 }, (_, slot) => h.versionIn(page, slot));
  return { entry, secs, slots, context: isSecs && h.enclaveContext(page), bytes: digest(bytes) };
}

/** Everything that can be observed: EPCM, contents, counters, VA slots, processors, ordinary memory. */
export function snapshot(w: World): unknown {
  const h = w.hardware;
  return {
    pages: Array.from({ length: h.pageCount }, (_, page) => describePage(w, page)),
    inside: Array.from({ length: h.cpuCount }, (_, cpu) => [h.insideOf(cpu), h.tcsOf(cpu)]),
    images: h.savedImages,
    memory: ORDINARY.map((address) => digest(w.memory.read(0, address, PAGE_BYTES))),
  };
}
