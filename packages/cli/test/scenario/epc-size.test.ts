import { describe, expect, it } from 'vitest';
import { EPC_SIZE_PATTERN, parseEpcSize } from '../../src/scenario/epc-size.js';

describe('parseEpcSize', () => {
  it.each([
    ['8MiB', 2048],
    ['8 MiB', 2048],
    ['0.5MiB', 128],
    ['4KiB', 1],
    ['2GiB', 524_288],
    ['1TiB', 2 ** 28],
    ['2000 pages', 2000],
    ['1 page', 1],
  ])('reads %s', (text, pageCount) => {
    expect(parseEpcSize(text)).toEqual({ pageCount });
    expect(text).toMatch(new RegExp(EPC_SIZE_PATTERN));
  });

  it.each([
    [8, /without a unit/, 'give a unit: 8MiB or 2048 pages'],
    ['8', /not a size/, '8MiB'],
    ['8MB', /unknown unit "MB"/, '8MiB'],
    ['8388608B', /has the unit "B"/, '2048 pages'],
    ['5000B', /is 5000 bytes, which is not a multiple of 4096/, '2 pages'],
    ['1 B', /not a multiple of 4096/, '1 page'],
    ['8 mib', /unknown unit/, '8MiB'],
    ['8 sheets', /unknown unit/, '8 pages'],
    ['8 constructor', /unknown unit/, 'pages'],
    ['-8MiB', /not a size/, '8MiB'],
    ['6KiB', /whole number of pages/, '2 pages'],
    ['0 pages', /EPC of 0 pages/, 'at least 1 page'],
    ['0MiB', /EPC of 0 pages/, 'at least 1 page'],
    ['2TiB', /more than 1 TiB/, 'at most'],
    [null, /not a size/, '8MiB'],
    [undefined, /not a size/, '8MiB'],
    [true, /not a size/, '8MiB'],
  ])('refuses %j', (value, problem, hint) => {
    const result = parseEpcSize(value);
    expect(result).toMatchObject({ problem: expect.stringMatching(problem) });
    expect(result).toMatchObject({ hint: expect.stringContaining(hint) });
  });
});
