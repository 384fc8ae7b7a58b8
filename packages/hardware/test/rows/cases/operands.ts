import { decodePageInfo } from '@epckit/hardware';
import type { LeafId } from '@epckit/interface';
import { Leaf } from '@epckit/interface';
import type { Act, RowCase } from '../suite.js';
import { exit, gp, ordinary, pf, rbx } from '../suite.js';
import type { World } from '../world.js';
import { epc, inGuest, mem, patch, setInfo, setSecInfo, WILD } from '../world.js';

/** An operand by number, or the EPC page that a register or PAGEINFO.SECS points to now. */
type HeldPage = number | 'rbx' | 'rcx' | 'secs';
function heldPage(w: World, page: HeldPage): number {
  if (typeof page === 'number') return page;
  const address =
    page === 'secs' ? decodePageInfo(w.memory.read(0, mem.pageInfo, 32)).secs : w.registers[page];
  return w.memory.lookup(0, Number(address >> 12n))?.page ?? -1;
}
/** CPU 3 has begun a leaf and holds what it needs. */
const hold =
  (leaf: number, page: HeldPage, secs = -1, va = -1): Act =>
  (w) => {
    const result = w.hardware.acquire(3, leaf as LeafId, heldPage(w, page), secs, va);
    if (result !== 0) throw new Error(`leaf ${leaf} could not begin: ${result}`);
  };
export const reg =
  (name: 'rbx' | 'rcx' | 'rdx', value: bigint | ((w: World) => bigint)): Act =>
  (w) => {
    w.registers[name] = typeof value === 'bigint' ? value : value(w);
  };
const page = (name: 'rbx' | 'rcx' | 'rdx', index: number, offset = 0n) =>
  reg(name, (w) => epc(w, index) + offset);
const info =
  (fields: Parameters<typeof setInfo>[1]): Act =>
  (w) =>
    setInfo(w, fields);
const secs =
  (index: number): Act =>
  (w) =>
    setInfo(w, { secs: epc(w, index) });
const secinfo =
  (flags: number | bigint): Act =>
  (w) =>
    setSecInfo(w, flags);
const secinfoByte: Act = (w) => patch(w, mem.secInfo + 63n, 1);

/** Rows that say where RCX must point: aligned, canonical, mapped, in the EPC. */
function target(aligned: number, inEpc: number, name: 'rbx' | 'rcx' | 'rdx' = 'rcx', step = 64n): RowCase[] {
  const value = (w: World) => w.registers[name];
  const upper = name.toUpperCase();
  return [
    {
      row: aligned,
      what: `${upper} is misaligned`,
      defect: (w) => {
        w.registers[name] += step;
      },
      outcome: gp,
    },
    { row: aligned, what: `${upper} is not canonical`, defect: reg(name, WILD), outcome: gp },
    { row: inEpc, what: `${upper} is ordinary memory`, defect: reg(name, mem.spare), outcome: pf(value) },
    { row: inEpc, what: `${upper} is not mapped`, defect: reg(name, mem.hole), outcome: ordinary(value) },
  ];
}
const pageInfoRows = (row: number): RowCase[] => [
  {
    row,
    what: 'RBX is misaligned',
    defect: (w) => {
      w.registers.rbx += 16n;
    },
    outcome: gp,
  },
  { row, what: 'RBX is not canonical', defect: reg('rbx', WILD), outcome: gp },
  { row, what: 'RBX is not mapped', defect: reg('rbx', mem.hole), outcome: ordinary(rbx) },
];
/** The target is in use by another processor, natively and in a guest with extensions. */
export function busyTarget(row: number, leaf: number = Leaf.EPA): RowCase[] {
  return [
    { row, what: 'the page is in use', defect: hold(leaf, 'rcx'), outcome: gp },
    {
      row,
      what: 'the page is in use, in a guest',
      given: inGuest,
      defect: hold(leaf, 'rcx'),
      outcome: exit(71, 2),
    },
  ];
}
const both =
  (...acts: Act[]): Act =>
  (w) => {
    for (const act of acts) act(w);
  };

export { both, hold, info, page, pageInfoRows, secinfo, secinfoByte, secs, target };
