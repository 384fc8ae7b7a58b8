import type { HardwareModel } from '@epckit/hardware';
import { createSgxHardware, FeatureSet, HardwareMisuse, TagContents } from '@epckit/hardware';
import type { AccessMonitor } from '@epckit/interface';
import { Attribute, Leaf, LeafFault, Mode, opMode, opObject, SecInfo, SgxCode } from '@epckit/interface';
import { describe, expect, it, test } from 'vitest';
import {
  at,
  BASE,
  createObjects,
  empty,
  evict,
  furnish,
  furnished,
  newBlob,
  noSecs,
  REG_RW,
  SOURCE,
} from './fixture.js';

const { GP, PF } = LeafFault;
const NO_THREAD = {
  state: 0n,
  flags: 0n,
  saveArea: 0n,
  frame: 0,
  frameCount: 1,
  entry: 0n,
  exitPointer: 0n,
  fsBase: 0n,
  gsBase: 0n,
  fsLimit: 0,
  gsLimit: 0,
  previousShadowStack: 0n,
  isReservedZero: true,
};

describe('probe', () => {
  function recorded(): { hardware: HardwareModel; calls: number[][] } {
    const calls: number[][] = [];
    const probe = { leaf: (...numbers: number[]) => void calls.push(numbers) };
    const hardware = furnished({}, { probe });
    calls.length = 0;
    return { hardware, calls };
  }

  it('sees every leaf with its operands and result, also refused ones', () => {
    const { hardware, calls } = recorded();
    const blob = newBlob();
    hardware.eblock(2, at.p);
    hardware.etrack(2, at.secs);
    hardware.ewb(2, at.p, at.va, 6, blob);
    hardware.eldu(2, at.rest, at.secs, at.va, 6, blob);
    hardware.eremove(1, at.secs);
    expect(calls).toEqual([
      [2, Leaf.EBLOCK, at.p, 0, -1, -1],
      [2, Leaf.ETRACK, at.secs, 0, -1, -1],
      [2, Leaf.EWB, at.p, 0, at.va, 6],
      [2, Leaf.ELDU, at.rest, 0, at.va, 6],
      [1, Leaf.EREMOVE, at.secs, SgxCode.CHILD_PRESENT, -1, -1],
    ]);
  });

  it('sees leaves that the processor does not have', () => {
    const { SGX1 } = FeatureSet;
    const calls: number[][] = [];
    const probe = { leaf: (...[, leaf = -1, , result = -1]: number[]) => void calls.push([leaf, result]) };
    const h = empty({ features: { ...SGX1, epcmFault: 'PF' } }, { probe });
    const info = { status: 0, flags: 0, blocked: false, context: 0 };
    h.eaug(0, 1, 2, BASE, 0);
    h.emodpr(0, 1, 1);
    h.emodt(0, 1, 0x400);
    h.eaccept(0, 1, BASE, REG_RW);
    h.emodpe(0, 1, BASE, 1);
    h.eacceptcopy(0, 1, BASE, 2, BASE, REG_RW);
    h.erdinfo(0, 1, info);
    h.etrackc(0, 1);
    h.eldbc(0, 1, 2, 3, 0, newBlob());
    h.elduc(0, 1, 2, 3, 0, newBlob());
    h.eupdatesvn(0);
    h.eincvirtchild(0, 1, 2);
    h.edecvirtchild(0, 1, 2);
    h.esetcontext(0, 1, 0);
    h.edeccssa(0);
    const { EAUG, EMODPR, EMODT, EACCEPT, EMODPE, EACCEPTCOPY, ERDINFO, ETRACKC } = Leaf;
    const { ELDBC, ELDUC, EUPDATESVN, EINCVIRTCHILD, EDECVIRTCHILD, ESETCONTEXT, EDECCSSA } = Leaf;
    const sgx2 = [EAUG, EMODPR, EMODT, EACCEPT, EMODPE, EACCEPTCOPY];
    const host = [ERDINFO, ETRACKC, ELDBC, ELDUC, EUPDATESVN, EINCVIRTCHILD, EDECVIRTCHILD, ESETCONTEXT];
    expect(calls).toEqual([...sgx2, ...host, EDECCSSA].map((leaf) => [leaf, GP]));
  });

  it('names the SECS for entries and exits, and is silent when nothing happened', () => {
    const { hardware, calls } = recorded();
    hardware.eenter(0, at.tcs, BASE);
    hardware.aex(0);
    hardware.aex(0);
    hardware.eresume(0, at.tcs, BASE);
    hardware.eexit(0);
    hardware.eenter(0, at.rest, BASE);
    expect(calls).toEqual([
      [0, Leaf.EENTER, at.secs, 0, -1, -1],
      [0, Leaf.AEX, at.secs, 0, -1, -1],
      [0, Leaf.ERESUME, at.secs, 0, -1, -1],
      [0, Leaf.EEXIT, at.secs, 0, -1, -1],
      [0, Leaf.EENTER, -1, PF, -1, -1],
    ]);
  });

  it('sees a conflict as the end of the leaf', () => {
    const { hardware, calls } = recorded();
    hardware.acquire(1, Leaf.ETRACK, at.secs, -1, -1);
    expect(calls).toEqual([]);
    hardware.acquire(0, Leaf.EBLOCK, at.p, -1, -1);
    expect(calls).toEqual([[0, Leaf.EBLOCK, at.p, SgxCode.ENTRYEPOCH_LOCKED, -1, -1]]);
  });
});

describe('monitor', () => {
  const modeNames = ['READ', 'WRITE', 'ADD'];
  function touched(
    act: (hardware: HardwareModel) => void,
    given: (hardware: HardwareModel) => void = () => {},
  ) {
    const objects = createObjects();
    const seen = new Set<string>();
    const monitor: AccessMonitor = {
      read: () => {},
      write: () => {},
      atomic: (object, mode) => void seen.add(`${objects.nameOf(object)} ${modeNames[mode]}`),
    };
    const hardware = furnish(
      createSgxHardware({ pageCount: 16, cpuCount: 4 }, { objects, monitor, probe: null }),
    );
    given(hardware);
    seen.clear();
    act(hardware);
    return [...seen].sort();
  }
  const [va, secs, p, free] = [at.va, at.secs, at.p, at.rest];

  it('EBLOCK writes the entry and reads the epoch', () => {
    expect(touched((h) => h.eblock(0, p))).toEqual([
      `epcm[${p}] READ`,
      `epcm[${p}] WRITE`,
      `tracking[${secs}] READ`,
    ]);
  });
  it('EREMOVE of a child asks whether anybody is inside', () => {
    const expected = [
      `children[${secs}] ADD`,
      `epcm[${p}] READ`,
      `epcm[${p}] WRITE`,
      `tracking[${secs}] READ`,
    ];
    expect(touched((h) => h.eremove(0, p))).toEqual(expected);
  });
  it('EACCEPT asks for the epoch, entries and exits add to the counters', () => {
    const enter = (h: HardwareModel) => void h.eenter(0, at.tcs, BASE);
    const changed = (h: HardwareModel) => {
      h.emodpr(0, p, REG_RW);
      h.etrack(0, secs);
      enter(h);
    };
    const accept = (h: HardwareModel) => expect(h.eaccept(0, p, BASE + 2, REG_RW | SecInfo.PR)).toBe(0);
    expect(touched(accept, changed)).toEqual([
      `epcm[${p}] READ`,
      `epcm[${p}] WRITE`,
      `tracking[${secs}] READ`,
    ]);
    expect(touched(enter)).toContain(`tracking[${secs}] ADD`);
    expect(touched((h) => h.eexit(0), enter)).toContain(`tracking[${secs}] ADD`);
    expect(touched((h) => h.emodpr(0, p, REG_RW))).toContain(`tracking[${secs}] READ`);
  });
  it('ETRACK writes the counters', () => {
    const names = touched((h) => h.etrack(0, secs));
    expect(names).toContain(`tracking[${secs}] WRITE`);
    expect(names).not.toContain(`epcm[${secs}] WRITE`);
  });
  it('EWB of a child: entry, slots, counters, and an addition to the child count', () => {
    const ready = (h: HardwareModel) => {
      h.eblock(0, p);
      h.etrack(0, secs);
    };
    expect(touched((h) => h.ewb(0, p, va, 0, newBlob()), ready)).toEqual([
      `children[${secs}] ADD`,
      `epcm[${va}] READ`,
      `epcm[${p}] READ`,
      `epcm[${p}] WRITE`,
      `slots[${va}] WRITE`,
      `tracking[${secs}] READ`,
    ]);
  });
  it('EWB and EREMOVE of a SECS decide by the child count', () => {
    expect(touched((h) => h.ewb(0, secs, va, 0, newBlob()))).toContain(`children[${secs}] READ`);
    expect(touched((h) => h.eremove(0, secs))).toContain(`children[${secs}] READ`);
  });
  it('EADD and EREMOVE of children add to it', () => {
    expect(touched((h) => h.eadd(0, free, at.secsB, BASE, REG_RW, 1))).toContain(`children[${at.secsB}] ADD`);
    expect(touched((h) => h.eremove(0, p))).toContain(`children[${secs}] ADD`);
  });
  it('ELDU of a child', () => {
    const blob = newBlob();
    const save = (h: HardwareModel) => Object.assign(blob, evict(h, p, 0));
    const names = touched((h) => h.eldu(0, free, secs, va, 0, blob), save);
    for (const name of [`children[${secs}] ADD`, `epcm[${free}] WRITE`, `slots[${va}] WRITE`]) {
      expect(names).toContain(name);
    }
  });
  it('entries and exits add to the counters', () => {
    expect(touched((h) => h.eenter(0, at.tcs, BASE))).toContain(`tracking[${secs}] ADD`);
    expect(
      touched(
        (h) => h.aex(0),
        (h) => h.eenter(0, at.tcs, BASE),
      ),
    ).toEqual([`epcm[${at.tcs}] WRITE`, `tracking[${secs}] ADD`]);
  });
  it('a refused leaf writes nothing', () => {
    expect(touched((h) => h.ewb(0, p, va, 0, newBlob())).filter((name) => !name.endsWith(' READ'))).toEqual(
      [],
    );
  });
  it('a loss of power writes everything', () => {
    expect(touched((h) => h.powerCycle())).toHaveLength(64);
  });
});

describe('leafAt', () => {
  it('is an op on the entry of the page', () => {
    const objects = createObjects();
    objects.range('something', 5);
    const hardware = createSgxHardware(
      { pageCount: 16, cpuCount: 1 },
      { objects, monitor: null, probe: null },
    );
    const value = hardware.leafAt(3);
    expect(objects.nameOf(opObject(value))).toBe('epcm[3]');
    expect(opMode(value)).toBe(Mode.LEAF);
  });
});

describe('loss of power', () => {
  const after: [string, (h: HardwareModel) => number, number][] = [
    ['EADD', (h) => h.eadd(0, at.rest, at.secs, BASE, REG_RW, 1), PF],
    ['EEXTEND', (h) => h.eextend(0, at.pB, at.secsB, 0), PF],
    ['EINIT', (h) => h.einit(0, at.secsB, {}), PF],
    ['ETRACK', (h) => h.etrack(0, at.secs), PF],
    ['EBLOCK', (h) => h.eblock(0, at.p), SgxCode.PG_INVLD],
    ['EWB', (h) => h.ewb(0, at.p, at.va, 0, newBlob()), PF],
    ['ELDU', (h) => h.eldu(0, at.p, at.secs, at.va, 0, newBlob()), PF],
    ['EREMOVE', (h) => h.eremove(0, at.p), 0],
    ['EENTER', (h) => h.eenter(0, at.tcs, BASE), PF],
    ['ERESUME', (h) => h.eresume(0, at.tcs, BASE), PF],
  ];
  test.each(after)('%s', (_leaf, call, result) => {
    const hardware = furnished();
    hardware.powerCycle();
    expect(call(hardware)).toBe(result);
  });

  it('throws every processor out without an exit', () => {
    const hardware = furnished();
    hardware.eenter(1, at.tcs, BASE);
    hardware.powerCycle();
    expect(hardware.insideOf(1)).toBe(-1);
    expect(hardware.aex(1)).toBe(false);
    furnish(hardware);
    expect(hardware.tracking(at.secs)).toEqual({ epoch: 0, current: 0, previous: 0, children: 4 });
  });

  it('makes old blobs worthless, EIDs go on', () => {
    const hardware = furnished();
    hardware.eremove(0, at.pB);
    const blob = newBlob();
    hardware.ewb(0, at.secsB, at.va, 0, blob);
    const { enclaveId } = hardware.enclave(at.secs);
    hardware.powerCycle();
    expect(hardware.savedImages).toBe(0);
    furnish(hardware);
    hardware.ewb(0, at.va2, at.va, 0, newBlob());
    expect(hardware.eldu(0, at.rest, noSecs, at.va, 0, blob)).toBe(SgxCode.MAC_COMPARE_FAIL);
    expect(hardware.enclave(at.secs).enclaveId).toBeGreaterThan(enclaveId);
  });
});

describe('misuse', () => {
  it('counts must be positive integers', () => {
    for (const pageCount of [0, -1, 1.5, Number.NaN, 2 ** 31])
      expect(() => empty({ pageCount })).toThrow(HardwareMisuse);
    expect(() => empty({ cpuCount: 0 })).toThrow('cpuCount must be a positive integer');
  });
  it('SECS queries need a SECS', () => {
    const hardware = furnished();
    for (const page of [at.p, at.rest, -1]) expect(() => hardware.tracking(page)).toThrow(HardwareMisuse);
    expect(hardware.occupiedSlots(at.p)).toBe(0);
  });
  it('contents tags have 40 bits', () => {
    const hardware = furnished();
    for (const tag of [2 ** 40, -1, 0.5]) {
      expect(() => hardware.eadd(0, at.rest, at.secsB, BASE, REG_RW, tag)).toThrow(HardwareMisuse);
    }
    expect(hardware.isValid(at.rest)).toBe(false);
  });
  it('errors turn into plain data', () => {
    try {
      empty({ pageCount: 0 });
      expect.unreachable();
    } catch (error) {
      expect(JSON.parse(JSON.stringify(error))).toEqual({
        code: 'EPCKIT_HARDWARE_MISUSE',
        message: 'pageCount must be a positive integer below 2^31.',
        details: ['given: 0'],
        hint: expect.any(String),
      });
    }
  });
  it('a processor that does not exist is nowhere', () => {
    const hardware = furnished();
    expect(hardware.aex(99)).toBe(false);
    expect(hardware.eexit(99)).toBe(GP);
    expect(hardware.eenter(99, at.tcs, BASE)).toBe(GP);
  });
});

it('an EPC of 4 Mi pages is ready at once', () => {
  const hardware = empty({ pageCount: 4 << 20 });
  expect(hardware.isValid((4 << 20) - 1)).toBe(false);
  expect(hardware.ecreate(0, (4 << 20) - 1, SOURCE)).toBe(0);
});

describe('an operand that is no whole page or processor', () => {
  it('is an address that is not aligned', () => {
    const h = empty();
    const results = [h.epa(0, 1.5), h.ecreate(0, 0.5, SOURCE), h.eremove(0, Number.NaN), h.eblock(0, 2.5)];
    expect(results).toEqual([GP, GP, GP, GP]);
    expect(h.eupdatesvn(0)).toBe(SgxCode.NO_UPDATE);
  });
  it('is refused where no leaf would judge it', () => {
    const h = empty();
    const acts: (() => unknown)[] = [
      () => h.poison(h.pageCount),
      () => h.poison(-1),
      () => h.setExtended(h.cpuCount, true),
      () => h.acquire(h.cpuCount, Leaf.EPA, 0, -1, -1),
      () => h.platform.raiseEvents(h.cpuCount, 1),
      () => h.platform.setShadowStacks(0.5, false),
    ];
    for (const act of acts) expect(act).toThrow(/must be a whole number/);
  });
});
it('CONFIGID has 64 bytes, and a SECS keeps its own', () => {
  const h = empty({ features: { kss: true } });
  const source = { ...SOURCE, attributes: SOURCE.attributes | Attribute.KSS };
  const configId = new Uint8Array(64).fill(1);
  expect(() => h.ecreate(0, 0, { ...source, configId: new Uint8Array(65) })).toThrow(HardwareMisuse);
  expect(h.ecreate(0, 0, { ...source, configId })).toBe(0);
  configId.fill(2);
  expect(h.enclave(0).configId?.[0]).toBe(1);
});
it('a loss of power forgets the threads of tags that a debugger has made', () => {
  const contents = new TagContents();
  const tagged = contents.write(7, 0, 5n);
  contents.defineThread(tagged, { ...NO_THREAD, flags: 2n });
  contents.clear();
  expect(contents.thread(contents.write(8, 0, 5n))).toBeNull();
});
