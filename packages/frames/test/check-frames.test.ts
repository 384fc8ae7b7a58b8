import type { FrameTable } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import { checkFrames, createFrameTable } from '../src/index.js';
import { createObjectCounter } from './object-counter.js';

/** A sound table with pages 0, 1, 2 on its only list. */
function createSound(): FrameTable {
  const objects = createObjectCounter();
  const frames = createFrameTable({ sections: [{ node: 0, pageCount: 4 }] }, { objects, monitor: null });
  const list = frames.createList('only');
  for (const page of [0, 1, 2]) frames.append(list, page);
  return frames;
}

/** The table with one method that lies. */
function lying(frames: FrameTable, lie: Partial<FrameTable>): FrameTable {
  return new Proxy(frames, {
    get(target, key) {
      const value: unknown = Reflect.get(key in lie ? lie : target, key);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

describe('checkFrames', () => {
  it('finds nothing in a sound table', () => {
    expect(checkFrames(createSound())).toEqual([]);
  });

  it.each<[string, Partial<FrameTable>, string]>([
    ['a wrong length', { length: () => 2 }, 'The length is 2, the walk finds 3.'],
    ['a wrong tail', { last: () => 1 }, 'The tail is 1, the walk ends elsewhere.'],
    ['a wrong predecessor', { previous: () => -1 }, "The page's predecessor should be 0."],
    ['a cycle', { next: (page) => (page + 1) % 3 }, 'The page was reached before, on list 1.'],
    ['a link out of the table', { next: () => 77 }, 'The list leads out of the table.'],
    ['a page of another list', { listOf: () => 5 }, 'The page claims list 5.'],
    ['a lost page', { listOf: () => 1 }, 'The page claims a list that does not lead to it.'],
  ])('finds %s', (_, lie, problem) => {
    const violations = checkFrames(lying(createSound(), lie));
    expect(violations.map((violation) => violation.problem)).toContain(problem);
  });
});
