import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Cell, Step } from './program.js';
import { building, Program, RANGE, step } from './program.js';

/** Faults of one step after which nothing new can come: every page has come and gone many times. */
const MANY_FAULTS = 1000;
/** Pages of the sections in which leaves of the tree are more than one path. */
const WIDE = 3 * RANGE + 1;

class Endless extends Error {}

interface Size {
  readonly epcPages: number;
  readonly versionSlots?: number;
}

/** Makes the steps in a new guest. @returns does every one of them end, and how often a version array page went */
function outcome(
  steps: readonly Step[],
  size: Size,
  pageCount = RANGE,
): [isDone: boolean, evictions: number] {
  const program = new Program({ ...size, batchPages: 1 }, pageCount);
  const { stack } = program;
  let faults = 0;
  stack.log.faultHandled = () => {
    if (++faults > MANY_FAULTS) throw new Endless();
  };
  try {
    for (const it of steps) {
      faults = 0;
      expect(program.step(it)).not.toMatch(/-7$/);
    }
  } catch (error) {
    if (error instanceof Endless) return [false, 0];
    throw error;
  }
  expect(stack.violations()).toEqual([]);
  return [true, stack.versionCounts().evictions];
}

const random = fc.array(step, { minLength: 30, maxLength: 60 });
const programs = fc.sample(random, { seed: 5, numRuns: 40 });

/** Numbers of the programs that do not end. */
function endless(size: Size): number[] {
  return programs.flatMap((further, index) => (outcome([...building, ...further], size)[0] ? [] : [index]));
}

/** Fixed version array pages are one per section; with two slots in each there is a path of three. */
const [fixed, evictable] = [{ versions: 2 }, { versions: 6, versionSlots: 2 }];

it('six pages beside the version array pages are enough for every leaf, five are not, of either kind', () => {
  const [first, second, third] = [0, 1, 2].map((page): [secs: Cell, child: Cell] => [
    { section: 0, page },
    { section: 1, page },
  ]) as [[Cell, Cell], [Cell, Cell], [Cell, Cell]];
  const enclaves = [first, second, third].flatMap(([secs, at]): Step[] => [
    { do: 'ecreate', at: secs, number: 0 },
    { do: 'eadd', at, secs, number: 0, linear: 0, isTcs: false },
  ]);
  // It fails, but looks at all operands first. The SECS of a page is there with it.
  const operands = { at: first[1], secs: second[1], va: third[1], slot: 0, isBlocked: false };
  const leaf: Step = { do: 'load', ...operands };
  for (const { versions, ...slots } of [fixed, evictable]) {
    const ends = [5, 6].map(
      (pages) => outcome([...enclaves, leaf], { epcPages: versions + pages, ...slots })[0],
    );
    expect(ends).toEqual([false, true]);
  }
});

it('with fewer pages the same programs end, of either kind', () => {
  const ofKind = ({ versions, ...slots }: typeof fixed, pages: number) =>
    endless({ epcPages: versions + pages, ...slots });
  const never = ofKind(fixed, 3);
  expect(never.length).toBeGreaterThan(0);
  expect(ofKind(evictable, 3)).toEqual(never);
  expect([fixed, evictable].map((kind) => ofKind(kind, 4))).toEqual([[], []]);
});

it('pages beside one path in each section are enough when there are more leaves than levels', () => {
  const places = Array.from({ length: 2 * (WIDE - 1) }, (_, index) => {
    return { section: index & 1, page: 1 + (index >> 1) };
  });
  const filling = places.map((at, index): Step => {
    return {
      do: 'eadd',
      at,
      secs: { section: 0, page: 0 },
      number: 0,
      linear: 3 + (index % 12),
      isTcs: false,
    };
  });
  const spread = (it: Step): Step => ({ ...it, at: { ...it.at, page: 3 * it.at.page } });
  let evictions = 0;
  for (const further of programs) {
    const steps = [...building, ...filling, ...further.map(spread)];
    // Of each section eight leaves, and four levels.
    const [isDone, count] = outcome(steps, { epcPages: 2 * 4 + 4, versionSlots: 2 }, WIDE);
    expect(isDone).toBe(true);
    evictions += count;
  }
  expect(evictions).toBeGreaterThan(100);
});
