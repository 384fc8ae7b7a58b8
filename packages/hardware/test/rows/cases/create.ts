import { encodeSecs } from '@epckit/hardware';
import { Attribute, Leaf, PageType } from '@epckit/interface';
import type { Act, RowCase, RowSuite } from '../suite.js';
import { gp, ordinary, pf, rcx } from '../suite.js';
import { at, BASE, encls, epc, mem, patch, setInfo, typed, WILD } from '../world.js';

import { busyTarget, info, page, pageInfoRows, secinfo, secinfoByte, secs, target } from './operands.js';

const SIZE = 16n * 4096n;
const secsImage =
  (change: Partial<Parameters<typeof encodeSecs>[0]> = {}): Act =>
  (w) =>
    w.memory.write(
      0,
      mem.secs,
      encodeSecs({ size: SIZE, base: BASE, ssaFrameSize: 1, attributes: Attribute.MODE64BIT, ...change }),
    );
const image =
  (offset: number, ...bytes: number[]): Act =>
  (w) =>
    patch(w, mem.secs + BigInt(offset), ...bytes);
const wide = Attribute.MODE64BIT;
const cet = { features: { cet: true } };
const withCet: Act = secsImage({ attributes: wide | Attribute.CET });

export const ecreateSuite: RowSuite = {
  table: 'ECREATE',
  isSilent: true,
  call: (w) => {
    secsImage()(w);
    setInfo(w, { source: mem.secs, metadata: mem.secInfo });
    encls(w, Leaf.ECREATE, { rbx: mem.pageInfo, rcx: epc(w, at.free) });
  },
  cases: [
    ...pageInfoRows(1),
    ...target(2, 3),
    { row: 4, what: 'SRCPGE is misaligned', defect: info({ source: mem.secs + 64n }), outcome: gp },
    { row: 4, what: 'SECINFO is misaligned', defect: info({ metadata: mem.secInfo + 32n }), outcome: gp },
    {
      row: 4,
      what: 'SRCPGE is not mapped',
      defect: info({ source: mem.hole }),
      outcome: ordinary(() => mem.hole),
    },
    {
      row: 4,
      what: 'SECINFO is not mapped',
      defect: info({ metadata: mem.hole }),
      outcome: ordinary(() => mem.hole),
    },
    { row: 5, what: 'LINADDR is not 0', defect: info({ linearAddress: BASE }), outcome: gp },
    { row: 5, what: 'PAGEINFO.SECS is not 0', defect: secs(at.secs), outcome: gp },
    { row: 6, what: 'a reserved bit of SECINFO', defect: secinfo(0x40), outcome: gp },
    { row: 6, what: 'a high reserved bit of SECINFO', defect: secinfo(1n << 63n), outcome: gp },
    { row: 6, what: 'a reserved byte of SECINFO', defect: secinfoByte, outcome: gp },
    { row: 6, what: 'type REG', defect: secinfo(typed(PageType.REG)), outcome: gp },
    ...busyTarget(7),
    { row: 8, what: 'the target is valid', defect: page('rcx', at.p), outcome: pf(rcx) },
    { row: 9, what: 'XFRM without SSE', defect: secsImage({ xfrm: 1n }), outcome: gp },
    {
      row: 10,
      what: 'XFRM with a component that the processor has not',
      defect: secsImage({ xfrm: 0x1bn }),
      outcome: gp,
    },
    ...(
      [
        ['one half of MPX', 0x0bn, 0x1bn],
        ['a part of AVX-512', 0x67n, 0xe7n],
        ['AVX-512 without AVX', 0xe3n, 0xe7n],
        ['one half of AMX', 0x40003n, 0x60003n],
      ] as const
    ).map(
      ([part, bad, good]): RowCase => ({
        row: 10,
        what: `XFRM with ${part}, which XSETBV refuses`,
        features: { xfrmMask: 0x6_00ffn },
        defect: secsImage({ xfrm: bad, ssaFrameSize: 3 }),
        cure: secsImage({ xfrm: good, ssaFrameSize: 3 }),
        outcome: gp,
      }),
    ),
    { row: 10, what: 'XFRM bit 63', defect: secsImage({ xfrm: (1n << 63n) | 3n }), outcome: gp },
    { row: 11, what: 'CET_ATTRIBUTES without CET', defect: image(32, 1), outcome: gp },
    { row: 11, what: 'CET_LEG_BITMAP_OFFSET without CET', defect: image(25, 0x10), outcome: gp },
    {
      row: 11,
      what: 'a reserved bit of CET_ATTRIBUTES',
      ...cet,
      also: withCet,
      defect: image(32, 0x40),
      cure: image(32, 0x3f),
      outcome: gp,
    },
    {
      row: 11,
      what: 'CET_LEG_BITMAP_OFFSET is misaligned',
      ...cet,
      also: withCet,
      defect: image(24, 8, 0x10),
      cure: image(24, 0, 0x10),
      outcome: gp,
    },
    {
      row: 11,
      what: 'CET_LEG_BITMAP_OFFSET is outside',
      ...cet,
      also: withCet,
      defect: image(24, 0, 0, 1),
      cure: image(24, 0, 0xf0),
      outcome: gp,
    },
    {
      row: 12,
      what: 'MISCSELECT bit 1',
      defect: secsImage({ miscSelect: 2 }),
      cure: secsImage({ miscSelect: 1 }),
      outcome: gp,
    },
    {
      row: 12,
      what: 'EXINFO on a processor without it',
      also: secsImage({ miscSelect: 1 }),
      defectFeatures: { exinfo: false },
      outcome: gp,
    },
    { row: 13, what: 'SSAFRAMESIZE is 0', defect: secsImage({ ssaFrameSize: 0 }), outcome: gp },
    {
      row: 13,
      what: 'a frame of one page for 3916 bytes of XSAVE area',
      features: { xfrmMask: 0x6_0003n },
      defect: secsImage({ xfrm: 0x6_0003n, ssaFrameSize: 2 }),
      cure: secsImage({ xfrm: 0x6_0003n, ssaFrameSize: 3 }),
      outcome: gp,
    },
    {
      row: 14,
      what: 'BASEADDR of a 64-bit enclave is not canonical',
      defect: secsImage({ base: WILD }),
      outcome: gp,
    },
    {
      row: 14,
      what: 'BASEADDR of a 32-bit enclave is above 4 GiB',
      also: secsImage({ attributes: 0 }),
      defect: secsImage({ attributes: 0, base: 1n << 32n }),
      outcome: gp,
    },
    {
      row: 15,
      what: 'a 64-bit enclave of 2^56 bytes',
      defect: secsImage({ base: 0n, size: 1n << 56n }),
      cure: secsImage({ base: 0n, size: 1n << 55n }),
      outcome: gp,
    },
    {
      row: 15,
      what: 'a 32-bit enclave of 2^31 bytes',
      defect: secsImage({ base: 0n, attributes: 0, size: 1n << 31n }),
      cure: secsImage({ base: 0n, attributes: 0, size: 1n << 30n }),
      outcome: gp,
    },
    {
      row: 16,
      what: 'SIZE 4096',
      defect: secsImage({ size: 4096n }),
      cure: secsImage({ size: 8192n }),
      outcome: gp,
    },
    { row: 16, what: 'SIZE 12288', defect: secsImage({ base: 0n, size: 12288n }), outcome: gp },
    { row: 16, what: 'SIZE 8200', defect: secsImage({ base: 0n, size: 8200n }), outcome: gp },
    {
      row: 17,
      what: 'BASEADDR between two multiples of SIZE',
      defect: secsImage({ base: BASE + 4096n }),
      outcome: gp,
    },
    { row: 17, what: 'BASEADDR is not page-aligned', defect: secsImage({ base: BASE + 8n }), outcome: gp },
    {
      row: 18,
      what: 'a reserved bit of ATTRIBUTES',
      defect: secsImage({ attributes: wide | 8 }),
      outcome: gp,
    },
    { row: 18, what: 'ATTRIBUTES bit 63', defect: image(55, 0x80), outcome: gp },
    { row: 18, what: 'INIT', defect: secsImage({ attributes: wide | Attribute.INIT }), outcome: gp },
    ...[33, 47, 96, 127, 160, 191, 262, 4095].map(
      (offset): RowCase => ({
        row: 19,
        what: `reserved byte ${offset}`,
        defect: image(offset, 1),
        outcome: gp,
      }),
    ),
    {
      row: 20,
      what: 'CONFIGID without KSS',
      also: image(255, 1),
      cure: image(48, wide | Attribute.KSS),
      outcome: gp,
    },
    {
      row: 20,
      what: 'CONFIGSVN without KSS',
      also: image(260, 1),
      cure: image(48, wide | Attribute.KSS),
      outcome: gp,
    },
  ],
};
