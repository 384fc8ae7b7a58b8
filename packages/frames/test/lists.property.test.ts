import type { FrameTable } from '@epckit/interface';
import { NONE } from '@epckit/interface';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkFrames, createFrameTable } from '../src/index.js';
import { createObjectCounter } from './object-counter.js';

const PAGES = 12;
const LISTS = 3;

type Command =
  | { readonly do: 'append' | 'prepend'; readonly list: number; readonly page: number }
  | { readonly do: 'unlink'; readonly page: number }
  | { readonly do: 'splice'; readonly from: number; readonly to: number };

const page = fc.integer({ min: 0, max: PAGES - 1 });
const list = fc.integer({ min: 1, max: LISTS });
const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constantFrom('append' as const, 'prepend' as const), list, page }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('unlink' as const), page }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('splice' as const), from: list, to: list }) },
);

/** The same lists as arrays. */
class ArrayModel {
  readonly lists: number[][] = Array.from({ length: LISTS + 1 }, () => []);

  /** @returns false if the table has to refuse the command */
  apply(step: Command): boolean {
    if (step.do === 'splice') {
      if (step.from === step.to) return false;
      this.at(step.to).unshift(...this.at(step.from).splice(0));
      return true;
    }
    const current = this.lists.findIndex((pages) => pages.includes(step.page));
    if (step.do === 'unlink') {
      if (current < 0) return false;
      this.at(current).splice(this.at(current).indexOf(step.page), 1);
      return true;
    }
    if (current >= 0) return false;
    if (step.do === 'append') this.at(step.list).push(step.page);
    else this.at(step.list).unshift(step.page);
    return true;
  }

  at(index: number): number[] {
    return this.lists[index] as number[];
  }
}

function applyTo(frames: FrameTable, step: Command): void {
  if (step.do === 'splice') frames.spliceToHead(step.from, step.to);
  else if (step.do === 'unlink') frames.unlink(step.page);
  else frames[step.do](step.list, step.page);
}

function pagesOn(frames: FrameTable, of: number, backwards: boolean): number[] {
  const pages: number[] = [];
  const step = (at: number) => (backwards ? frames.previous(at) : frames.next(at));
  for (let at = backwards ? frames.last(of) : frames.first(of); at >= 0; at = step(at)) {
    if (pages.push(at) > PAGES) return [...pages, NONE];
  }
  return pages;
}

describe('lists of the frame table', () => {
  it('behave like arrays and refuse what arrays cannot hold', () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 80 }), (steps) => {
        const objects = createObjectCounter();
        const frames = createFrameTable(
          { sections: [{ node: 0, pageCount: PAGES }] },
          { objects, monitor: null },
        );
        for (let index = 1; index <= LISTS; index++) frames.createList(`list ${index}`);
        const model = new ArrayModel();
        for (const step of steps) {
          const before = frames.changes;
          if (model.apply(step)) applyTo(frames, step);
          else
            expect(() => applyTo(frames, step)).toThrow(
              expect.objectContaining({ code: 'EPCKIT_INVARIANT' }),
            );
          expect(frames.changes >= before).toBe(true);
          for (let index = 1; index <= LISTS; index++) {
            expect(pagesOn(frames, index, false)).toEqual(model.at(index));
            expect(pagesOn(frames, index, true)).toEqual(model.at(index).toReversed());
            expect(frames.length(index)).toBe(model.at(index).length);
          }
          expect(checkFrames(frames)).toEqual([]);
        }
      }),
    );
  });
});
