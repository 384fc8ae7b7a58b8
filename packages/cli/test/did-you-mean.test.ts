import { describe, expect, it } from 'vitest';
import { nearestWord } from '../src/did-you-mean.js';

describe('nearestWord', () => {
  const keys = ['batch', 'low', 'high', 'policy', 'clockGhz'];

  it.each([
    ['btach', 'batch'],
    ['batches', 'batch'],
    ['hihg', 'high'],
    ['lo', 'low'],
    ['clockghz', 'clockGhz'],
    ['Policies', null],
    ['watermark', null],
    ['', null],
  ])('%s: %s', (word, expected) => {
    expect(nearestWord(word, keys)).toBe(expected);
  });
});
