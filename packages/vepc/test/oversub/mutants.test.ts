import { readFileSync } from 'node:fs';
import type { Routine } from '@epckit/interface';
import { SgxCode } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import type { OversubRecipes } from '../../src/index.js';
import { mutants } from './mutants.js';
import type { Cell, Step } from './program.js';
import { building, Program } from './program.js';
import { everyWindow } from './windows.js';

const SECS: Cell = { section: 0, page: 0 };
const THREAD: Cell = { section: 0, page: 1 };
const DATA: Cell = { section: 1, page: 1 };
const readData: Step = { do: 'read', at: DATA, secs: SECS, linear: 1 };
const removeSecs: Step = { do: 'eremove', at: SECS };

/** SECS in one section, one child in the other. */
const small: readonly Step[] = [building[1], building[3]] as Step[];

/**
 * What a guest sees of `steps` while the host evicts or another virtual CPU loads, with the first point of that at
 * which it does.
 */
function outcomes(
  recipes: OversubRecipes,
  before: (program: Program) => void,
  first: Step | Cell,
  steps: readonly Step[],
  after: readonly Step[] = [],
): Map<string, number> {
  const seen = new Map<string, number>();
  let program: Program;
  let told: string[];
  const make = () => {
    program = new Program({ recipes, checking: true });
    told = [];
    const { stack } = program;
    before(program);
    const thread = stack.thread('do' in first ? 1 : -1);
    const routine: Routine<unknown> =
      'do' in first ? program.run(thread, first) : stack.oversub.evict(thread, program.at(first));
    const guest = function* (): Routine<void> {
      for (const it of steps) told.push(`${it.do} ${yield* program.run(stack.thread(), it)}`);
    };
    return { stack, first: { thread, routine }, second: { thread: stack.thread(), routine: guest() } };
  };
  const count = everyWindow(
    make,
    (_, point) => {
      for (const it of after) told.push(program.step(it));
      const outcome = [...told, ...program.stack.violations()].join('; ');
      if (!seen.has(outcome)) seen.set(outcome, point);
    },
    Object.keys(recipes).length === 0,
  );
  expect(count).toBeGreaterThan(10);
  return seen;
}

const play = (steps: readonly Step[]) => (program: Program) => {
  for (const it of steps) program.step(it);
};
const evicted =
  (steps: readonly Step[], ...cells: readonly Cell[]) =>
  (program: Program) => {
    play(steps)(program);
    for (const cell of cells) expect(program.stack.evict(program.at(cell))).toBe(0);
  };

interface Example {
  readonly name: string;
  readonly mutant: keyof typeof mutants;
  /** What the guest sees, and the point or step at which. */
  readonly see: (recipes: OversubRecipes) => ReadonlyMap<string, number>;
  /** What a guest without a host sees. */
  readonly right: string;
  /** What the wrong order shows besides. */
  readonly wrong: RegExp;
}

const examples: readonly Example[] = [
  {
    name: 'the guest removes a page while the host evicts it',
    mutant: 'V-28',
    see: (recipes) => outcomes(recipes, play(small), DATA, [{ do: 'eremove', at: DATA }], [readData]),
    right: 'eremove 0; read unused',
    wrong: /-7/,
  },
  {
    name: 'the guest removes the SECS while the host evicts its only child',
    mutant: 'V-29',
    see: (recipes) => outcomes(recipes, play(small), DATA, [removeSecs]),
    right: `eremove ${SgxCode.CHILD_PRESENT}`,
    wrong: /eremove 0/,
  },
  {
    name: 'the guest removes the SECS while its only child is loaded',
    mutant: 'V-30',
    see: (recipes) => outcomes(recipes, evicted(small, DATA), readData, [removeSecs]),
    right: `eremove ${SgxCode.CHILD_PRESENT}`,
    wrong: /eremove 0/,
  },
  {
    name: 'two virtual CPUs read the same evicted page',
    mutant: 'V-31',
    see: (recipes) => outcomes(recipes, evicted(building, DATA), readData, [readData]),
    right: 'read 0: 2 3 false 102',
    wrong: /unused/,
  },
  {
    name: 'a child of a SECS that was evicted and is back is evicted',
    mutant: 'V-32',
    see: (recipes) => {
      const program = new Program({ recipes });
      evicted(small, DATA, SECS)(program);
      program.step(readData);
      program.stack.evict(program.at(DATA));
      return new Map([[program.step(readData), small.length + 2]]);
    },
    right: 'read 0: 2 3 false 102',
    wrong: /-7/,
  },
  {
    name: 'the guest has blocked a page',
    mutant: 'V-33',
    see: (recipes) => {
      const program = new Program({ recipes });
      play([...building, { do: 'eblock', at: DATA }])(program);
      return new Map([[`${program.stack.evictAll()} pages stay`, building.length + 1]]);
    },
    right: '0 pages stay',
    wrong: /^[1-9]/,
  },
  {
    name: 'the guest has blocked a page that is evicted and comes back (S-10)',
    mutant: 'V-33 forgotten',
    see: (recipes) => {
      const program = new Program({ recipes });
      play([...building, { do: 'eblock', at: DATA }])(program);
      program.stack.evictAll();
      return new Map([[program.step({ do: 'eblock', at: DATA }), building.length + 2]]);
    },
    right: `eblock ${SgxCode.BLSTATE}`,
    wrong: /eblock 0/,
  },
];

describe('at every point', () => {
  for (const { name, see, right } of examples) {
    it(name, () => {
      expect([...see({}).keys()]).toEqual([right]);
    });
  }

  it('S-09: the guest removes the SECS while the host evicts the second of two children', () => {
    const before = evicted([building[1], building[2], building[3]] as Step[], DATA);
    expect([...outcomes({}, before, THREAD, [removeSecs]).keys()]).toEqual([
      `eremove ${SgxCode.CHILD_PRESENT}`,
    ]);
  });

  it('a page comes back, and the last PCMD of its file page with it, while its sibling is evicted', () => {
    expect([...outcomes({}, evicted(building, DATA), { section: 1, page: 2 }, [readData]).keys()]).toEqual([
      'read 0: 2 3 false 102',
    ]);
  });

  it('S-11: two virtual CPUs load two children of one SECS', () => {
    const other: Step = { do: 'read', at: { section: 1, page: 2 }, secs: SECS, linear: 2 };
    const before = evicted(building, DATA, { section: 1, page: 2 }, THREAD, SECS);
    expect([...outcomes({}, before, readData, [other]).keys()]).toEqual(['read 0: 2 3 false 103']);
  });

  it('S-12: SECS and child in two sections are both evicted while the guest touches them', () => {
    const before = evicted(small, DATA);
    expect([...outcomes({}, before, SECS, [readData]).keys()]).toEqual(['read 0: 2 3 false 102']);
    expect([...outcomes({}, play(small), DATA, [readData, removeSecs]).keys()]).toEqual([
      `read 0: 2 3 false 102; eremove ${SgxCode.CHILD_PRESENT}`,
    ]);
  });
});

describe('the wrong order is noticed', () => {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');

  for (const { name, mutant, see, right, wrong } of examples) {
    it(`${mutant}: ${name}`, () => {
      const others = [...see(mutants[mutant])].filter(([seen]) => seen !== right);
      const [seen, point] = others.find(([outcome]) => wrong.test(outcome)) ?? [];
      expect(others.map(([outcome]) => outcome).join('\n')).toMatch(wrong);
      // The table of the README, with the first point at which it happens.
      const cells = [mutant, name, point, seen?.split(/; (?!read|eremove)/)[0], right];
      expect(rowsOf(readme)).toContain(cells.join(' | '));
    });
  }
});

/** Rows of all tables, without what only aligns them. */
function rowsOf(markdown: string): string[] {
  const rows = markdown.split('\n').filter((line) => line.startsWith('|'));
  return rows.map((row) =>
    row
      .split('|')
      .slice(1, -1)
      .map((text) => text.trim())
      .join(' | '),
  );
}
