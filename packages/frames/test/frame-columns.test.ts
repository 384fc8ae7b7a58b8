import { FrameFlag, Mode, NONE, OwnerKind, opMode, opObject } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import { createFrameTable, FRAME_BYTES } from '../src/index.js';
import { createAccessLog, createObjectCounter } from './object-counter.js';

function createTwoSections() {
  const objects = createObjectCounter();
  const sections = [
    { node: 0, pageCount: 4 },
    { node: 2, pageCount: 6 },
  ];
  return createFrameTable({ sections }, { objects, monitor: null });
}

describe('columns', () => {
  it('number the pages of all sections', () => {
    const frames = createTwoSections();
    expect(frames.pageCount).toBe(10);
    expect(frames.sections[1]).toEqual({ node: 2, firstPage: 4, pageCount: 6 });
    expect([0, 3, 4, 9].map((page) => [frames.section(page), frames.node(page)])).toEqual([
      [0, 0],
      [0, 0],
      [1, 2],
      [1, 2],
    ]);
    expect(() => frames.node(10)).toThrow('There is no EPC page 10.');
  });

  it('begin without owner, flag, poison, group and list', () => {
    const frames = createTwoSections();
    expect(frames.kind(5)).toBe(OwnerKind.NONE);
    expect([frames.owner(5), frames.record(5), frames.flags(5), frames.group(5)]).toEqual([
      NONE,
      NONE,
      0,
      NONE,
    ]);
    expect(frames.isPoisoned(5)).toBe(false);
    expect(frames.listOf(5)).toBe(0);
    expect(frames.changes).toBe(0);
  });

  it('keep owner, flags, poison and group apart', () => {
    const frames = createTwoSections();
    frames.setOwner(5, OwnerKind.NATIVE, 3, 17);
    frames.setPoisoned(5);
    frames.setFlags(5, FrameFlag.TRACKED);
    frames.setGroup(5, 9);
    expect([frames.kind(5), frames.owner(5), frames.record(5)]).toEqual([OwnerKind.NATIVE, 3, 17]);
    expect([frames.flags(5), frames.peekFlags(5), frames.group(5)]).toEqual([
      FrameFlag.TRACKED,
      FrameFlag.TRACKED,
      9,
    ]);
    frames.setFlags(5, 0);
    expect(frames.isPoisoned(5)).toBe(true);
    frames.setOwner(5, OwnerKind.NONE, 4, 4);
    expect([frames.owner(5), frames.record(5)]).toEqual([NONE, NONE]);
    expect(frames.changes).toBe(6);
    expect(() => frames.setFlags(10, 0)).toThrow(expect.objectContaining({ code: 'EPCKIT_INVARIANT' }));
  });

  it('refuse sections that cannot be', () => {
    const objects = createObjectCounter();
    const bad = () =>
      createFrameTable({ sections: [{ node: -1, pageCount: 4 }] }, { objects, monitor: null });
    expect(bad).toThrow(expect.objectContaining({ code: 'EPCKIT_MISUSE' }));
  });

  it('take the stated memory and no time per page', () => {
    const pageCount = 1 << 20;
    const before = process.memoryUsage().arrayBuffers;
    const objects = createObjectCounter();
    const frames = createFrameTable({ sections: [{ node: 0, pageCount }] }, { objects, monitor: null });
    expect((process.memoryUsage().arrayBuffers - before) / pageCount).toBeCloseTo(FRAME_BYTES, 1);
    expect(frames.listOf(pageCount - 1)).toBe(0);
  });
});

describe('appendAll', () => {
  it('puts all pages on one list in ascending order', () => {
    const frames = createTwoSections();
    const dirty = frames.createList('dirty');
    frames.appendAll(dirty);
    const pages: number[] = [];
    for (let page = frames.first(dirty); page >= 0; page = frames.next(page)) pages.push(page);
    expect(pages).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(() => frames.appendAll(dirty)).toThrow('Pages are on lists already.');
  });
});

describe('checking mode', () => {
  it('sees each column and each list as an object of its own', () => {
    const objects = createObjectCounter();
    const log = createAccessLog(objects);
    const frames = createFrameTable(
      { sections: [{ node: 0, pageCount: 4 }] },
      { objects, monitor: log.monitor },
    );
    const free = frames.createList('free');
    frames.setOwner(2, OwnerKind.NATIVE, 0, 0);
    frames.setFlags(2, 1);
    frames.isPoisoned(2);
    frames.setPoisoned(2);
    frames.peekFlags(2);
    frames.setGroup(2, 0);
    expect(log.take()).toEqual([
      'write frame[2]',
      'write frame.flags[2]',
      `atomic ${Mode.READ} frame.poison[2]`,
      `atomic ${Mode.WRITE} frame.poison[2]`,
      `atomic ${Mode.READ} frame.flags[2]`,
      'write frame.group[2]',
    ]);
    frames.append(free, 2);
    frames.first(free);
    frames.listOf(2);
    expect(log.take()).toEqual([
      'write list free',
      'write frame.link[2]',
      'read list free',
      'read frame.link[2]',
    ]);
  });

  it('names the objects of ops', () => {
    const objects = createObjectCounter();
    const frames = createFrameTable({ sections: [{ node: 0, pageCount: 4 }] }, { objects, monitor: null });
    const free = frames.createList('free');
    expect(objects.nameOf(opObject(frames.poisonAt(3, Mode.READ)))).toBe('frame.poison[3]');
    expect(objects.nameOf(opObject(frames.flagsAt(3, Mode.WRITE)))).toBe('frame.flags[3]');
    expect(objects.nameOf(opObject(frames.listAt(free, Mode.READ)))).toBe('list free');
    expect(opMode(frames.flagsAt(3, Mode.WRITE))).toBe(Mode.WRITE);
  });
});
