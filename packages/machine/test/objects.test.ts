import { describe, expect, it } from 'vitest';
import { Objects } from '../src/index.js';

describe('object numbers', () => {
  it('are dense, start at 1 and have names', () => {
    const objects = new Objects();
    expect([objects.range('lock', 1), objects.range('page', 3), objects.range('tail', 1)]).toEqual([1, 2, 5]);
    expect([1, 2, 4, 5].map((object) => objects.nameOf(object))).toEqual([
      'lock',
      'page[0]',
      'page[2]',
      'tail',
    ]);
  });

  it('that nobody has given out are named by their number', () => {
    const objects = new Objects();
    objects.range('lock', 1);
    expect([objects.nameOf(0), objects.nameOf(2)]).toEqual(['object 0', 'object 2']);
  });
});
