import { createHash } from 'node:crypto';
import type { HardwareModel } from '@epckit/hardware';
import { encodeSecs } from '@epckit/hardware';
import { Attribute, Leaf, PageType, SecInfo } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import type { World } from '../rows/world.js';
import {
  at,
  createWorld,
  encls,
  epc,
  mem,
  REG_RW,
  run,
  setInfo,
  setSecInfo,
  tcsBytes,
  typed,
} from '../rows/world.js';

const DONE = { kind: 'done' };
const SIZE = 0x10000n;

/** MRENCLAVE as the SDM describes it, written without the code under test. */
class Expected {
  readonly #hash = createHash('sha256');
  #block(
    name: string,
    fields: readonly (readonly [offset: number, sizeBytes: number, value: bigint])[],
  ): void {
    const block = Buffer.alloc(64);
    block.write(name, 0, 'latin1');
    for (const [offset, sizeBytes, value] of fields) {
      for (let at = 0; at < sizeBytes; at++) block[offset + at] = Number((value >> BigInt(8 * at)) & 0xffn);
    }
    this.#hash.update(block);
  }
  create(ssaFrameSize: bigint, size: bigint, bitmapOffset = 0n): void {
    this.#block('ECREATE', [
      [8, 4, ssaFrameSize],
      [12, 8, size],
      [20, 8, bitmapOffset],
    ]);
  }
  add(offset: bigint, flags: bigint): void {
    this.#block('EADD', [
      [8, 8, offset],
      [16, 8, flags],
    ]);
  }
  extend(offset: bigint, bytes: Uint8Array): void {
    this.#block('EEXTEND', [[8, 8, offset]]);
    this.#hash.update(bytes);
  }
  digest(): string {
    return this.#hash.copy().digest('hex');
  }
}

function create(w: World, base: bigint, change: Partial<Parameters<typeof encodeSecs>[0]> = {}): void {
  const secs = { size: SIZE, base, ssaFrameSize: 2, attributes: Attribute.MODE64BIT, ...change };
  w.memory.write(0, mem.secs, encodeSecs(secs));
  setInfo(w, { linearAddress: 0n, source: mem.secs, metadata: mem.secInfo, secs: 0n });
  setSecInfo(w, 0);
  encls(w, Leaf.ECREATE, { rbx: mem.pageInfo, rcx: epc(w, at.free) });
  expect(run(w)).toEqual(DONE);
}
function add(w: World, target: number, address: bigint, secinfo: number, bytes: Uint8Array): void {
  w.memory.write(0, mem.source, bytes);
  setSecInfo(w, secinfo);
  setInfo(w, { linearAddress: address, source: mem.source, metadata: mem.secInfo, secs: epc(w, at.free) });
  encls(w, Leaf.EADD, { rbx: mem.pageInfo, rcx: epc(w, target) });
  expect(run(w)).toEqual(DONE);
}
function extend(w: World, page: number, offset: bigint): void {
  encls(w, Leaf.EEXTEND, { rbx: epc(w, at.free), rcx: epc(w, page) + offset });
  expect(run(w)).toEqual(DONE);
}
const measured = ({ hardware }: { hardware: HardwareModel }) => hardware.measurement(at.free);
const pattern = () => Uint8Array.from({ length: 4096 }, (_, index) => (index * 7 + (index >> 8)) & 0xff);

describe('MRENCLAVE', () => {
  it('agrees with SHA-256 of node:crypto over ECREATE, EADD and EEXTEND', () => {
    const [w, hash] = [createWorld(), new Expected()];
    create(w, 0x7000_0000n);
    hash.create(2n, SIZE);
    expect(measured(w)).toBe(hash.digest());
    const bytes = pattern();
    add(w, at.free2, 0x7000_3000n, REG_RW, bytes);
    hash.add(0x3000n, BigInt(REG_RW));
    for (let offset = 0; offset < 4096; offset += 256) {
      extend(w, at.free2, BigInt(offset));
      hash.extend(0x3000n + BigInt(offset), bytes.subarray(offset, offset + 256));
    }
    expect(measured(w)).toBe(hash.digest());
  });
  it('EADD of a TCS hashes R, W and X as 0, and EEXTEND sees the cleared fields', () => {
    const [w, hash] = [createWorld(), new Expected()];
    create(w, 0x7000_0000n);
    hash.create(2n, SIZE);
    const tcs = tcsBytes();
    tcs.set([9, 9, 9, 9, 9, 9, 9, 9], 0);
    tcs[8] = 3;
    tcs.set([5, 0, 0, 0], 24);
    tcs.set([0x77], 40);
    add(w, at.free2, 0x7000_0000n, typed(PageType.TCS, SecInfo.R | SecInfo.W | SecInfo.X), tcs);
    hash.add(0n, BigInt(typed(PageType.TCS)));
    expect(measured(w)).toBe(hash.digest());
    const cleared = Uint8Array.from(tcs.subarray(0, 256));
    cleared.fill(0, 0, 8);
    cleared[8] = 2;
    cleared.fill(0, 24, 28);
    cleared[40] = 0;
    extend(w, at.free2, 0n);
    hash.extend(0n, cleared);
    expect(measured(w)).toBe(hash.digest());
  });
  it('does not depend on BASEADDR, but on order, offset, size and frame size', () => {
    const build = (base: bigint, size = SIZE, ssaFrameSize = 2) => {
      const w = createWorld();
      create(w, base, { size, ssaFrameSize });
      add(w, at.free2, base + 0x1000n, REG_RW, pattern());
      return measured(w);
    };
    expect(build(0x7000_0000n)).toBe(build(0x1_0000_0000n));
    const all = [build(0x7000_0000n), build(0x7000_0000n, 0x20000n), build(0x7000_0000n, SIZE, 3)];
    expect(new Set(all).size).toBe(3);
  });
  it('has CET_LEG_BITMAP_OFFSET only with CET', () => {
    const [w, hash] = [createWorld({ features: { cet: true } }), new Expected()];
    const secs = encodeSecs({
      size: SIZE,
      base: 0n,
      ssaFrameSize: 1,
      attributes: Attribute.MODE64BIT | Attribute.CET,
    });
    secs[25] = 0x10;
    w.memory.write(0, mem.secs, secs);
    setInfo(w, { source: mem.secs, metadata: mem.secInfo });
    encls(w, Leaf.ECREATE, { rbx: mem.pageInfo, rcx: epc(w, at.free) });
    expect(run(w)).toEqual(DONE);
    hash.create(1n, SIZE, 0x1000n);
    expect(measured(w)).toBe(hash.digest());
  });
  it('is stored by EINIT and stays when the SECS travels', () => {
    const w = createWorld();
    create(w, 0x7000_0000n);
    const measurement = measured(w);
    expect(w.hardware.einit(0, at.free, { measurement })).toBe(0);
    expect(w.hardware.enclave(at.free).measurement).toBe(measurement);
  });
});
