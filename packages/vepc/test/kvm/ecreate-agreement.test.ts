import type { Outcome } from '@epckit/hardware';
import {
  createProcessor,
  createRegisters,
  createSgxHardware,
  encodePageInfo,
  encodeSecInfo,
  encodeSecs,
  FlatMemory,
  featuresToCpuid,
  resolveFeatures,
} from '@epckit/hardware';
import { realContents } from '@epckit/hardware/real';
import type { Routine } from '@epckit/interface';
import { Attribute, PageType, SecInfo } from '@epckit/interface';
import { createMachine } from '@epckit/machine';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { EnclsOutcome, GuestMemory, KvmHost } from '../../src/index.js';
import { EnclsEmulation, VepcFaultResult, VirtualLeaves } from '../../src/index.js';
import { Stack } from '../stack.js';
import { enabledVcpu } from './host.js';

const PAGEINFO = 0x1_0000n;
const SECINFO = 0x1_1000n;
const CONTENTS = 0x1_2000n;
const SPARE = 0x1_3000n;
const SECS = 0x10_0000n;
const NOT_CANONICAL = 0x8000_0000_0000n;
const HOLE = 0x9_0000n;
const EPC_PAGES = 8;
/** Register in which a canonical address is not aligned to what ECREATE wants of it. */
const askew = (address: bigint, by: bigint): bigint => address + by;

/** The processor that both guests run on. */
const features = resolveFeatures({ exinfo: true });
const host: KvmHost = {
  cpuid: featuresToCpuid(features),
  hasEnclsExiting: true,
  supportedXcr0: features.xfrmMask,
  isSgxEnabled: true,
};

/** An ECREATE that is about to be executed: what a guest has in registers and memory. */
interface Operands {
  rbx: bigint;
  rcx: bigint;
  linearAddress: bigint;
  source: bigint;
  metadata: bigint;
  secs: bigint;
  secinfo: Uint8Array;
  readonly image: Uint8Array;
  /** Pages of the guest that are not mapped. */
  readonly unmapped: bigint[];
  /** The EPC page is in use. */
  isBusy: boolean;
}

type Defect = (operands: Operands) => void;

const soundOperands = (): Operands => ({
  ...{ rbx: PAGEINFO, rcx: SECS, linearAddress: 0n, source: CONTENTS, metadata: SECINFO, secs: 0n },
  ...{ secinfo: encodeSecInfo(0), unmapped: [], isBusy: false },
  image: encodeSecs({ size: 0x1_0000n, base: 0x100_0000n, ssaFrameSize: 1, attributes: Attribute.MODE64BIT }),
});

const quadword =
  (offset: number, value: bigint): Defect =>
  ({ image }) =>
    new DataView(image.buffer).setBigUint64(offset, value, true);
const byte =
  (offset: number, value: number): Defect =>
  ({ image }) =>
    image.fill(value, offset, offset + 1);
const flags =
  (value: number): Defect =>
  (o) => {
    o.secinfo = encodeSecInfo(value);
  };
const set =
  (change: Partial<Operands>): Defect =>
  (o) =>
    void Object.assign(o, change);
const without =
  (...pages: bigint[]): Defect =>
  (o) =>
    void o.unmapped.push(...pages);

const both =
  (...acts: readonly Defect[]): Defect =>
  (o) => {
    for (const act of acts) act(o);
  };

/** What makes ECREATE fail, in the order of the rows of the SDM. */
const defects: readonly (readonly [string, Defect])[] = [
  ['PAGEINFO misaligned', set({ rbx: askew(PAGEINFO, 8n) })],
  ['PAGEINFO not canonical', set({ rbx: NOT_CANONICAL })],
  ['PAGEINFO not mapped', without(PAGEINFO)],
  ['target misaligned', set({ rcx: askew(SECS, 64n) })],
  ['target not canonical', set({ rcx: NOT_CANONICAL })],
  ['target not mapped', set({ rcx: HOLE })],
  ['target in ordinary memory', set({ rcx: SPARE })],
  ['source misaligned', set({ source: askew(CONTENTS, 64n) })],
  ['source not canonical', set({ source: NOT_CANONICAL })],
  ['source not mapped', without(CONTENTS)],
  ['SECINFO misaligned', set({ metadata: askew(SECINFO, 32n) })],
  ['SECINFO not canonical', set({ metadata: NOT_CANONICAL })],
  ['SECINFO not mapped', without(SECINFO)],
  ['LINADDR', set({ linearAddress: 0x100_0000n })],
  ['LINADDR, lowest bit', set({ linearAddress: 1n })],
  ['LINADDR, highest bit', set({ linearAddress: 1n << 63n })],
  ['PAGEINFO.SECS', set({ secs: SECS })],
  ['PAGEINFO.SECS, lowest bit', set({ secs: 1n })],
  ['PAGEINFO.SECS, highest bit', set({ secs: 1n << 63n })],
  ['SECINFO of a regular page', flags(PageType.REG << SecInfo.TYPE_SHIFT)],
  ['SECINFO, PENDING', flags(SecInfo.PENDING)],
  ['SECINFO, MODIFIED', flags(SecInfo.MODIFIED)],
  ['SECINFO, PR', flags(SecInfo.PR)],
  ['SECINFO, bit 6', flags(0x40)],
  ['SECINFO, bit 16', flags(0x1_0000)],
  ['SECINFO, byte 8', (o) => void o.secinfo.fill(1, 8, 9)],
  ['SECINFO, last byte', (o) => void o.secinfo.fill(1, 63, 64)],
  ['target in use', set({ isBusy: true })],
  ['XFRM without SSE', quadword(56, 1n)],
  ['XFRM not supported', quadword(56, 3n | (1n << 18n))],
  ['XFRM, highest bit', quadword(56, 3n | (1n << 63n))],
  ['CET_ATTRIBUTES', byte(32, 1)],
  ['CET_LEG_BITMAP_OFFSET', quadword(24, 0x1000n)],
  ['MISCSELECT', byte(20, 2)],
  ['MISCSELECT, highest bit', byte(23, 0x80)],
  ['SSAFRAMESIZE', byte(16, 0)],
  ['base not canonical', quadword(8, NOT_CANONICAL)],
  ['base above 4 GiB, 32-bit', both(byte(48, 0), quadword(8, 1n << 32n))],
  ['size as large as forbidden', both(quadword(0, 1n << 56n), quadword(8, 0n))],
  ['size as large as forbidden, 32-bit', both(byte(48, 0), quadword(0, 1n << 31n))],
  ['size of one page', quadword(0, 0x1000n)],
  ['size 0', quadword(0, 0n)],
  ['size no power of two', quadword(0, 0x3000n)],
  ['size with a byte more', quadword(0, 0x1_0001n)],
  ['base no multiple of the size', quadword(8, 0x100_1000n)],
  ['base with a byte more', quadword(8, 0x100_0001n)],
  ['ATTRIBUTES.INIT', byte(48, 5)],
  ['ATTRIBUTES, bit 3', byte(48, 12)],
  ['ATTRIBUTES.KSS that the processor has not', byte(48, 0x84)],
  ['ATTRIBUTES, bit 31', byte(51, 0x80)],
  ['ATTRIBUTES, bit 32', byte(52, 1)],
  ['ATTRIBUTES, highest bit', byte(55, 0x80)],
  ['byte 33', byte(33, 1)],
  ['byte 96', byte(96, 1)],
  ['byte 191', byte(191, 1)],
  ['byte 262', byte(262, 1)],
  ['last byte', byte(4095, 1)],
  ['CONFIGID without KSS', byte(192, 1)],
  ['CONFIGSVN without KSS', byte(260, 1)],
];

/** What looks like a defect and is none. */
const harmless: readonly (readonly [string, Defect])[] = [
  ['nothing', () => {}],
  ['SECINFO, R', flags(SecInfo.R)],
  ['SECINFO, W and X', flags(SecInfo.W | SecInfo.X)],
  ['MRENCLAVE', byte(64, 1)],
  ['MRSIGNER', byte(128, 1)],
  ['ISVPRODID', byte(256, 1)],
  ['ISVSVN', byte(258, 1)],
  ['EXINFO', both(byte(20, 1), byte(16, 2))],
  ['PROVISIONKEY', byte(48, 0x14)],
  ['SECINFO at 64 bytes', set({ metadata: SECINFO + 64n })],
];

/** How an instruction ended, for both the same: done, or a fault with its code and address. */
type Ending = 'done' | readonly [vector: number, errorCode: number, address: bigint | null];

function memoryOf(operands: Operands): FlatMemory {
  const memory = new FlatMemory({ pageCount: EPC_PAGES, windowBase: SECS });
  for (const page of [PAGEINFO, SECINFO, CONTENTS, SPARE]) memory.mapOrdinary(page);
  memory.write(0, PAGEINFO, encodePageInfo(operands));
  memory.write(0, operands.metadata === SECINFO + 64n ? operands.metadata : SECINFO, operands.secinfo);
  memory.write(0, CONTENTS, operands.image);
  for (const page of operands.unmapped) memory.unmap(page);
  return memory;
}

/** The processor executes it: nobody intercepts ECREATE. */
function untrapped(operands: Operands): Ending {
  const { objects } = createMachine({ cpus: [{ node: 0 }] });
  const contents = realContents({ cet: features.cet });
  const components = { objects, monitor: null, probe: null, contents };
  const hardware = createSgxHardware({ pageCount: EPC_PAGES, cpuCount: 1, features }, components);
  const processor = createProcessor({ hardware, contents, memory: memoryOf(operands) });
  if (operands.isBusy) hardware.epa(0, 0);
  const outcome: Outcome = processor.encls(
    0,
    createRegisters({ rax: 0n, rbx: operands.rbx, rcx: operands.rcx }),
  );
  if (outcome.kind === 'done') return 'done';
  if (outcome.kind !== 'fault') throw new Error(outcome.kind);
  return [outcome.vector, outcome.errorCode, outcome.cr2];
}

/** KVM executes it, for a guest that may do all that the processor can. */
function trapped(operands: Operands): Ending {
  const stack = new Stack({ features });
  const vepc = stack.open();
  const memory = memoryOf(operands);
  const pageOf = (address: bigint): number => Number(address >> 12n);
  const guestMemory: GuestMemory = {
    translate: (linear, isWrite) =>
      memory.lookup(0, pageOf(linear)) === null
        ? { vector: 14, errorCode: isWrite ? 2 : 0, address: linear }
        : { physical: linear },
    slot: (physical) => {
      const page = memory.lookup(0, pageOf(physical))?.page ?? -1;
      return page < 0 ? 'memory' : stack.at(vepc, page);
    },
    read: (physical, sizeBytes) => memory.read(0, physical, sizeBytes),
  };
  const leaves = new VirtualLeaves({
    leaves: stack.driver.kvm,
    *faultIn(_thread, { page }): Routine<boolean> {
      return (yield* stack.faultOn(stack.thread(), vepc, page)) === VepcFaultResult.NOPAGE;
    },
  });
  const decoders = {
    signature: () => ({}),
    token: () => ({ isValid: false, measurement: '', signer: '', attributes: 0 }),
  };
  const emulation = new EnclsEmulation(leaves, decoders);
  const vcpu = enabledVcpu(host, undefined, true);
  const { rbx, rcx } = operands;
  if (operands.isBusy) {
    stack.fault(vepc, 0);
    stack.hardware.epa(0, vepc.pages.get(0));
  }
  const outcome: EnclsOutcome = stack.run(
    emulation.ecreate(stack.thread(), vcpu, { rbx, rcx, rdx: 0n }, guestMemory),
  );
  if (outcome.kind === 'skip') return 'done';
  if (outcome.kind !== 'inject') throw new Error(outcome.reason);
  return [outcome.vector, outcome.errorCode, outcome.address];
}

const withAll = (...acts: readonly Defect[]): Operands => {
  const operands = soundOperands();
  both(...acts)(operands);
  return operands;
};

describe('a trapped ECREATE ends as one that nobody intercepts', () => {
  it.each(defects)('%s', (_, defect) => {
    const expected = untrapped(withAll(defect));
    expect(expected).not.toBe('done');
    expect(trapped(withAll(defect))).toEqual(expected);
  });

  it.each(harmless)('%s: no defect', (_, change) => {
    expect(untrapped(withAll(change))).toBe('done');
    expect(trapped(withAll(change))).toBe('done');
  });

  it('several defects: both fail, and not at the same one, because KVM checks before it executes', () => {
    const acts = fc.subarray([...defects], { minLength: 2, maxLength: 3 });
    fc.assert(
      fc.property(acts, (chosen) => {
        const all = chosen.map(([, defect]) => defect);
        expect(trapped(withAll(...all))).not.toBe('done');
        expect(untrapped(withAll(...all))).not.toBe('done');
      }),
    );
  });
});
