import type { AccessMonitor, Probe } from '@epckit/interface';
import { Access, Mode, opMode, opObject, Prot, Pte, Walk } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import type { FrameLookup } from '../src/index.js';
import { createAddressSpace } from '../src/index.js';
import { createHeldLocks, createObjectCounter, createZapLog, thread } from './hand-made.js';

interface Parts {
  id?: number;
  probe?: Probe;
  monitor?: AccessMonitor;
  frameOf?: FrameLookup;
  isHeld?: () => boolean;
}

function create(parts: Parts = {}) {
  return createAddressSpace(
    { id: parts.id ?? 1, name: 'test', cpuCount: 4 },
    {
      ...(parts.frameOf === undefined ? {} : { frameOf: parts.frameOf }),
      locks: createHeldLocks(parts.isHeld),
      objects: createObjectCounter(),
      monitor: parts.monitor ?? null,
      probe: parts.probe ?? null,
    },
  );
}

describe('address space', () => {
  it('has one table per owner', () => {
    const mm = create();
    expect(mm.table(5)).toBeUndefined();
    expect(mm.walk(5, 0, Access.READ)).toBe(Walk.NO_MAPPING);
    const table = mm.tableFor(5, 8);
    expect(mm.tableFor(5, 8)).toBe(table);
    expect(mm.table(5)).toBe(table);
    expect([...mm.tables()]).toEqual([table]);
    mm.forget(5);
    expect(mm.table(5)).toBeUndefined();
  });

  it('reports a zap of a present entry and no other removal', () => {
    const { zaps, probe } = createZapLog();
    const table = create({ id: 7, probe }).tableFor(5, 8);
    table.map(thread, 0, 8, Prot.R);
    for (const page of [1, 2]) table.insert(thread, page);
    expect([table.zap(thread, 1), table.zap(thread, 1)]).toEqual([true, false]);
    table.unmap(thread, 0, 8);
    expect(zaps).toEqual([[thread.id, 5, 1, 7]]);
  });

  it('gives a child mappings and entries that are neither young nor dirty', () => {
    const parent = create();
    const table = parent.tableFor(5, 8);
    table.map(thread, 0, 4, Prot.R | Prot.W);
    table.insert(thread, 2);
    parent.walk(5, 2, Access.WRITE);
    const child = create({ id: 2 });
    child.copyFrom(thread, parent);
    expect(child.table(5)?.pte[2]).toBe(Pte.PRESENT | Pte.R | Pte.W);
    expect(child.table(5)?.vmas).toEqual(table.vmas);
    child.table(5)?.map(thread, 0, 8, Prot.R);
    expect(table.vmas).toEqual([{ start: 0, end: 4, prot: Prot.R | Prot.W }]);
  });

  it('changes the rights of present entries up to the first hole', () => {
    const table = create().tableFor(5, 8);
    table.map(thread, 0, 4, Prot.R);
    table.map(thread, 6, 8, Prot.R);
    for (const page of [1, 7]) table.insert(thread, page);
    expect(table.protect(thread, 0, 8, Prot.R | Prot.W)).toBe(false);
    expect(table.pte[1]).toBe(Pte.PRESENT | Pte.R | Pte.W | Pte.ACCESSED);
    expect(table.pte[7]).toBe(Pte.PRESENT | Pte.R | Pte.ACCESSED);
    expect(table.protect(thread, 1, 3, 0)).toBe(true);
    expect(table.pte[1]).toBe(Pte.PRESENT | Pte.ACCESSED);
  });

  it('refuses changes without the lock and below page 0', () => {
    let isHeld = false;
    const table = create({ isHeld: () => isHeld }).tableFor(5, 8);
    expect(() => table.map(thread, 0, 4, Prot.R)).toThrow(
      expect.objectContaining({ code: 'EPCKIT_INVARIANT' }),
    );
    isHeld = true;
    expect(() => table.map(thread, -1, 4, Prot.R)).toThrow(
      expect.objectContaining({ code: 'EPCKIT_MISUSE' }),
    );
    expect(() => table.insert(thread, 0)).toThrow(expect.objectContaining({ code: 'EPCKIT_INVARIANT' }));
  });

  it('knows its CPUs and reports each use', () => {
    const log: string[] = [];
    const monitor = { atomic: (_object: number, mode: number) => void log.push(`${mode}`) };
    const mm = create({ monitor: monitor as unknown as AccessMonitor });
    mm.load(3);
    mm.load(1);
    mm.unload(3);
    expect([mm.cpus.next(0), mm.cpus.size]).toEqual([1, 1]);
    expect(log).toEqual([Mode.WRITE, Mode.WRITE, Mode.WRITE, Mode.READ, Mode.READ].map(String));
    expect([opMode(mm.cpusReading), opMode(mm.cpusWriting)]).toEqual([Mode.READ, Mode.WRITE]);
    expect(opMode(mm.tableFor(1, 4).pteAt(2))).toBe(Mode.WRITE);
  });
});

describe('the EPC page of an entry', () => {
  /** Page `n` is in EPC page `base + n`. */
  let base = 100;
  const frameOf: FrameLookup = (owner, page) => (owner === 5 ? base + page : -1);

  it('is the one of the time of the insertion, until the entry goes', () => {
    base = 100;
    const table = create({ frameOf }).tableFor(5, 8);
    table.map(thread, 0, 8, Prot.R);
    expect(table.frame(2)).toBe(-1);
    table.insert(thread, 2);
    base = 200;
    table.insert(thread, 2);
    table.testAndClearYoung(thread, 2);
    table.protect(thread, 0, 8, Prot.R | Prot.W);
    expect(table.frame(2)).toBe(102);
    table.zap(thread, 2);
    expect(table.frame(2)).toBe(-1);
    table.insert(thread, 2);
    expect(table.frame(2)).toBe(202);
    table.unmap(thread, 0, 8);
    expect(table.frame(2)).toBe(-1);
  });

  it('is that of the parent after a fork', () => {
    base = 100;
    const parent = create({ frameOf });
    parent.tableFor(5, 8).map(thread, 0, 8, Prot.R);
    parent.table(5)?.insert(thread, 3);
    base = 200;
    const child = create({ id: 2, frameOf });
    child.copyFrom(thread, parent);
    expect([child.table(5)?.frame(3), child.table(5)?.frame(4)]).toEqual([103, -1]);
  });

  it('is read as part of the entry', () => {
    const seen: [number, number][] = [];
    const ignore = () => {};
    const monitor: AccessMonitor = {
      read: ignore,
      write: ignore,
      atomic: (object, mode) => void seen.push([object, mode]),
    };
    const table = create({ frameOf, monitor }).tableFor(5, 8);
    table.frame(3);
    expect(seen).toEqual([[opObject(table.pteAt(3)), Mode.READ]]);
  });

  it('cannot be left out by an owner or asked where nobody knows it', () => {
    const stranger = create({ frameOf }).tableFor(6, 8);
    stranger.map(thread, 0, 8, Prot.R);
    expect(() => stranger.insert(thread, 0)).toThrow(expect.objectContaining({ code: 'EPCKIT_INVARIANT' }));
    const table = create().tableFor(5, 8);
    expect(() => table.frame(0)).toThrow(expect.objectContaining({ code: 'EPCKIT_MISUSE' }));
  });
});
