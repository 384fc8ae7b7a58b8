import { FrameFlag, NONE, OwnerKind } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import { checkOversub, checkVepc, GuestState } from '../../src/index.js';
import type { Cell } from './program.js';
import { building, Program } from './program.js';
import { VersionHost } from './version-host.js';

const SECS: Cell = { section: 0, page: 0 };
const DATA: Cell = { section: 1, page: 1 };
const MORE: Cell = { section: 1, page: 2 };

/** A guest with one evicted child and one resident one. */
function half(): Program {
  const program = new Program();
  for (const it of building) program.step(it);
  expect(program.stack.evict(program.at(DATA))).toBe(0);
  return program;
}

interface Break {
  readonly rule: string;
  readonly what: string;
  readonly spoil: (program: Program) => void;
}

const records = (program: Program, { section }: Cell) =>
  program.stack.instance(program.at({ section, page: 0 }).vepc).records;
const epc = (program: Program, cell: Cell) => program.at(cell).vepc.pages.get(cell.page);

const breaks: readonly Break[] = [
  {
    rule: 'OS-1',
    what: 'VIRTCHILDCNT is too large',
    spoil: (program) => {
      const secs = epc(program, SECS);
      program.stack.hardware.eincvirtchild(0, secs, secs);
    },
  },
  {
    rule: 'OS-1',
    what: 'the record of the SECS counts wrongly',
    spoil: (program) => records(program, SECS).addEvictedChildren(0, 1),
  },
  {
    rule: 'OS-2',
    what: 'the SECS of an evicted child was removed',
    spoil: (program) => {
      for (const cell of [MORE, { section: 0, page: 1 }, SECS]) {
        program.stack.hardware.eremove(0, epc(program, cell));
      }
    },
  },
  {
    rule: 'OS-3',
    what: 'a slot is used that no page has',
    spoil: ({ stack, sections }) => void stack.instance(sections[1]).paging.slots.take(),
  },
  {
    rule: 'OS-3',
    what: 'a resident page has a slot',
    spoil: (program) => records(program, MORE).setSlot(MORE.page, 0),
  },
  {
    rule: 'OS-4',
    what: 'more repetitions were excused than the host has caused',
    spoil: ({ stack }) => {
      stack.oversub.conflicts.reentered = 100;
    },
  },
  {
    rule: 'OS-5',
    what: 'a resident page counts as evicted',
    spoil: (program) => records(program, MORE).setState(MORE.page, GuestState.EVICTED),
  },
  {
    rule: 'OS-5',
    what: 'the frame table names another page',
    spoil: (program) => {
      const { stack, sections } = program;
      stack.frames.setOwner(epc(program, MORE), OwnerKind.GUEST, sections[1].id, 4);
    },
  },
  {
    rule: 'OS-5',
    what: 'a page is reclaimable that nobody has marked',
    spoil: (program) => records(program, MORE).setListed(MORE.page, false),
  },
  {
    rule: 'OS-6',
    what: 'a version array page was removed',
    spoil: ({ stack, sections }) => {
      stack.hardware.eremove(0, stack.instance(sections[1]).versionArrays[0] ?? NONE);
    },
  },
  {
    rule: 'OS-7',
    what: 'a SECS stays pinned',
    spoil: (program) => records(program, SECS).addPins(0, 1),
  },
  {
    rule: 'OS-7',
    what: 'a page is in a batch',
    spoil: (program) => program.stack.frames.unlink(epc(program, MORE)),
  },
  {
    rule: 'OS-7',
    what: 'a page waits for a reclaimer that does not know it',
    spoil: (program) => {
      const { frames } = program.stack;
      const page = epc(program, MORE);
      frames.unlink(page);
      frames.setFlags(page, frames.flags(page) & ~FrameFlag.TRACKED);
      records(program, MORE).setState(MORE.page, GuestState.ZAPPED);
    },
  },
];

describe('checkOversub', () => {
  it('finds nothing wrong', () => {
    const { stack } = half();
    expect(checkOversub(stack.oversub, stack.frames, stack.hardware)).toEqual([]);
  });

  for (const { rule, what, spoil } of breaks) {
    it(`${rule}: ${what}`, () => {
      const program = half();
      spoil(program);
      const { oversub, frames, hardware } = program.stack;
      expect(checkOversub(oversub, frames, hardware).map((violation) => violation.rule)).toContain(rule);
    });
  }

  it('says nothing of an instance that is dead', () => {
    const program = half();
    const { stack, sections } = program;
    for (const vepc of sections) stack.instance(vepc).isDead = true;
    records(program, SECS).addPins(0, 1);
    expect(checkOversub(stack.oversub, stack.frames, stack.hardware)).toEqual([]);
  });
});

describe('checkOversub of version array pages that can be evicted', () => {
  const spoils: readonly (readonly [string, string, (host: VersionHost) => void])[] = [
    ['OS-3', 'a slot is used that no page has', ({ tree }) => void tree.take(tree.first)],
    ['OS-3', 'a slot is free that a page has', ({ tree }) => tree.release(0)],
    [
      'OS-3',
      'a slot has no version',
      ({ stack, tree }) => {
        const page = tree.page(tree.leaves().at(-1) as number);
        stack.hardware.eremove(0, page);
        stack.hardware.epa(0, page);
      },
    ],
    [
      'OS-6',
      'a page was removed',
      ({ stack, tree }) => void stack.hardware.eremove(0, tree.page(tree.shape.root)),
    ],
    [
      'OS-6',
      'a page has gone before those below it',
      ({ tree }) => void tree.evict(tree.shape.parent(tree.first)),
    ],
    ['OS-6', 'a page has gone without a version', ({ tree }) => void tree.evict(tree.first)],
    ['OS-6', 'the root is gone', ({ tree }) => void tree.lose(tree.shape.root)],
    ['OS-6', 'pages are counted wrongly', ({ tree }) => void tree.resident++],
    [
      'OS-6',
      'the frame table names another page',
      ({ stack, vepc, tree }) => {
        stack.frames.setOwner(tree.page(tree.shape.root), OwnerKind.GUEST, vepc.id, -2);
      },
    ],
  ];
  const made = (): VersionHost => {
    const host = new VersionHost();
    for (let page = 0; page < 9; page++) host.evict(page);
    return host;
  };

  it('finds nothing wrong', () => {
    expect(made().violations()).toEqual([]);
  });

  it.each(spoils)('%s: %s', (rule, _, spoil) => {
    const host = made();
    spoil(host);
    const { oversub, frames, hardware } = host.stack;
    expect(checkOversub(oversub, frames, hardware).map((violation) => violation.rule)).toContain(rule);
  });
});

describe('checkVepc', () => {
  it('knows version array pages and reclaimable pages of instances with reclaim', () => {
    const { stack } = half();
    expect(checkVepc(stack.driver, stack.frames, stack.hardware)).toEqual([]);
    const withoutReclaim = { instances: () => stack.driver.instances(), zombies: stack.driver.zombies };
    const rules = checkVepc(withoutReclaim, stack.frames, stack.hardware).map(({ rule }) => rule);
    expect(new Set(rules)).toEqual(new Set(['VE-1', 'VE-3']));
  });
});
