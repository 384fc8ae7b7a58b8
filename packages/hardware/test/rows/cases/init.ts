import type { InitTokenFields, SigStructFields } from '@epckit/hardware';
import { encodeInitToken, encodeSigStruct, sha256, toHex } from '@epckit/hardware';
import { Attribute, Leaf } from '@epckit/interface';
import type { Act, RowCase, RowSuite } from '../suite.js';
import { gp, ordinary, pf, rbx, rcx, rdx, zf } from '../suite.js';
import type { World } from '../world.js';
import { at, BASE_PAGE, encls, epc, mem, patch, WILD } from '../world.js';
import { both, hold, page, reg } from './operands.js';

const MODULUS = new Uint8Array(384).fill(0x5a);
const SIGNER = toHex(sha256(MODULUS));
const OTHER = 'f'.repeat(64);
const attributes = Attribute.MODE64BIT;

/** Signs the enclave at RCX. */
const sign =
  (fields: Partial<SigStructFields> = {}, secs: number = at.secsB): Act =>
  (w) => {
    const measurement = w.hardware.measurement(secs);
    w.memory.write(0, mem.sigStruct, encodeSigStruct({ modulus: MODULUS, measurement, ...fields }));
  };
/** Makes a token for the enclave at RCX. */
const grant =
  (fields: Partial<InitTokenFields> = {}): Act =>
  (w) => {
    const measurement = w.hardware.measurement(at.secsB);
    const token = encodeInitToken({
      isValid: true,
      attributes,
      measurement,
      signer: SIGNER,
      xfrm: 3n,
      ...fields,
    });
    w.memory.write(0, mem.token, token);
  };
const byte =
  (address: bigint, ...bytes: number[]): Act =>
  (w) =>
    patch(w, address, ...bytes);
const sig = (offset: number, ...bytes: number[]) => byte(mem.sigStruct + BigInt(offset), ...bytes);
const otherKey: Act = (w) => {
  w.hardware.platform.launchKeyHash = OTHER;
};
const verdict =
  (change: Partial<World['verdicts']>): Act =>
  (w) =>
    Object.assign(w.verdicts, change);
/** An enclave at `free` with one attribute more. */
const special =
  (attribute: number): Act =>
  (w) => {
    const source = { basePage: BASE_PAGE, pageCount: 16, ssaFrameSize: 1 };
    const made = w.hardware.ecreate(0, at.free, { ...source, attributes: attributes | attribute });
    if (made !== 0) throw new Error(`ECREATE: ${made}`);
  };
const launch = special(Attribute.EINITTOKENKEY);
const familyId = new Uint8Array(16).fill(1);

const malformed: RowCase[] = [
  { row: 4, what: 'HEADER', defect: sig(0, 7), outcome: zf(1) },
  { row: 4, what: 'HEADER, last byte', defect: sig(15, 1), outcome: zf(1) },
  { row: 4, what: 'VENDOR', defect: sig(16, 0x85, 0x80), cure: sig(16, 0x86, 0x80), outcome: zf(1) },
  { row: 4, what: 'HEADER2', defect: sig(24, 2), outcome: zf(1) },
  { row: 4, what: 'EXPONENT', defect: sig(512, 1), outcome: zf(1) },
  ...[44, 127, 992, 1028, 1039].map(
    (offset): RowCase => ({
      row: 4,
      what: `reserved byte ${offset}`,
      defect: sig(offset, 1),
      outcome: zf(1),
    }),
  ),
];

export const einitSuite: RowSuite = {
  table: 'EINIT',
  call: (w) => {
    w.hardware.platform.launchKeyHash = SIGNER;
    sign()(w);
    encls(w, Leaf.EINIT, { rbx: mem.sigStruct, rcx: epc(w, at.secsB), rdx: mem.token });
  },
  cases: [
    { row: 1, what: 'RBX is misaligned', defect: reg('rbx', mem.sigStruct + 512n), outcome: gp },
    { row: 1, what: 'RCX is misaligned', defect: page('rcx', at.secsB, 64n), outcome: gp },
    { row: 1, what: 'RBX is not canonical', defect: reg('rbx', WILD), outcome: gp },
    { row: 1, what: 'RBX is not mapped', defect: reg('rbx', mem.hole), outcome: ordinary(rbx) },
    { row: 2, what: 'RDX is misaligned', defect: reg('rdx', mem.token + 256n), outcome: gp },
    { row: 2, what: 'RDX is not mapped', defect: reg('rdx', mem.hole), outcome: ordinary(rdx) },
    { row: 3, what: 'RCX is ordinary memory', defect: reg('rcx', mem.spare), outcome: pf(rcx) },
    ...malformed,
    {
      row: 5,
      what: 'an event is pending',
      defect: (w) => w.hardware.platform.raiseEvents(0, 1),
      outcome: zf(128),
    },
    { row: 6, what: 'the signature does not verify', defect: verdict({ signature: false }), outcome: zf(8) },
    { row: 7, what: 'the SECS is in use', defect: hold(Leaf.EREMOVE, 'rcx'), outcome: gp },
    { row: 8, what: 'a free page', defect: page('rcx', at.free2), outcome: pf(rcx) },
    { row: 8, what: 'a REG page', defect: page('rcx', at.pB), outcome: pf(rcx) },
    { row: 9, what: 'ISVFAMILYID without KSS', defect: sig(927, 1), outcome: zf(1) },
    {
      row: 9,
      what: 'ISVFAMILYID, and another enclave has KSS',
      given: special(Attribute.KSS),
      also: sign({ familyId }),
      cure: both(page('rcx', at.free), sign({ familyId }, at.free)),
      outcome: zf(1),
    },
    {
      row: 10,
      what: 'an EADD of the enclave is running',
      defect: hold(Leaf.EADD, at.free, at.secsB),
      outcome: gp,
    },
    {
      row: 10,
      what: 'initialised already',
      also: sign({}, at.secs),
      defect: page('rcx', at.secs),
      outcome: gp,
      cure: sign(),
    },
    { row: 11, what: 'another measurement', defect: sign({ measurement: OTHER }), outcome: zf(4) },
    {
      row: 12,
      what: 'EINITTOKENKEY and another launch key',
      given: launch,
      also: both(page('rcx', at.free), sign({}, at.free)),
      defect: otherKey,
      outcome: zf(2),
    },
    {
      row: 13,
      what: 'DEBUG is demanded',
      defect: sign({ attributes: Attribute.DEBUG, attributeMask: Attribute.DEBUG }),
      cure: sign({ attributeMask: Attribute.DEBUG }),
      outcome: zf(2),
    },
    {
      row: 13,
      what: 'XFRM bit 2 is demanded',
      defect: sign({ xfrm: 7n, xfrmMask: 7n }),
      cure: sign({ xfrm: 3n, xfrmMask: 7n }),
      outcome: zf(2),
    },
    {
      row: 13,
      what: 'a reserved attribute above bit 31 is demanded',
      defect: sign({ attributes: 1n << 40n, attributeMask: 1n << 40n }),
      cure: sign({ attributes: 1n << 40n }),
      outcome: zf(2),
    },
    {
      row: 14,
      what: 'EXINFO is demanded',
      defect: sign({ miscSelect: 1, miscMask: 1 }),
      cure: sign({ miscMask: 1 }),
      outcome: zf(2),
    },
    {
      row: 15,
      what: 'a CET attribute is demanded',
      defect: sign({ cetAttributes: 1, cetMask: 1 }),
      cure: sign({ cetMask: 1 }),
      outcome: zf(2),
    },
    { row: 16, what: 'no token and another launch key', defect: otherKey, outcome: zf(16) },
    {
      row: 17,
      what: 'a reserved byte of the token',
      also: grant(),
      defect: byte(mem.token + 4n, 1),
      outcome: zf(16),
    },
    {
      row: 17,
      what: 'a debug launch enclave for a production enclave',
      also: grant(),
      defect: grant({ launchAttributes: Attribute.DEBUG }),
      outcome: zf(16),
    },
    {
      row: 18,
      what: 'an unknown CPUSVN',
      also: grant(),
      defect: verdict({ token: { isCpuSvnKnown: false } }),
      outcome: zf(32),
    },
    {
      row: 19,
      what: 'a wrong MAC',
      also: grant(),
      defect: verdict({ token: { isAuthentic: false } }),
      outcome: zf(16),
    },
    {
      row: 20,
      what: 'a token for another enclave',
      also: grant(),
      defect: grant({ measurement: OTHER }),
      outcome: zf(4),
    },
    {
      row: 20,
      what: 'a token for another signer',
      also: grant(),
      defect: grant({ signer: OTHER }),
      outcome: zf(4),
    },
    {
      row: 21,
      what: 'a token for other attributes',
      also: grant(),
      defect: grant({ attributes: attributes | Attribute.PROVISIONKEY }),
      outcome: zf(2),
    },
    {
      row: 21,
      what: 'a token for other XFRM bits',
      also: grant(),
      defect: grant({ xfrm: 7n }),
      outcome: zf(2),
    },
  ],
};
