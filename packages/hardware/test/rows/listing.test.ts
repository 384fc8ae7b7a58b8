import { expect, it } from 'vitest';
import { rowName, testName } from './suite.js';
import { SUITES } from './suites.js';
import { ROWS, UNREACHABLE, UNREACHABLE_PARTS } from './table.js';

const tests = new Map<string, string[]>();
for (const suite of SUITES) {
  for (const test of suite.cases) {
    const row = rowName(suite, test.row);
    tests.set(row, [...(tests.get(row) ?? []), testName(suite, test)]);
  }
}
const ids = ROWS.map(({ id }) => id);

it('every row of the tables has a test, or a reason why it has none', () => {
  const listing = ROWS.flatMap(({ id, text }) => {
    const reason = UNREACHABLE[id];
    const found = reason === undefined ? (tests.get(id) ?? ['MISSING']) : [`(unreachable) ${reason}`];
    return found.map((test) => `${id.padEnd(18)} ${text.padEnd(52)} ${test}`);
  });
  console.log(['row, what it says, test', ...listing].join('\n'));
  expect(ids.filter((id) => !tests.has(id) && UNREACHABLE[id] === undefined)).toEqual([]);
});
it('every test belongs to a row', () => {
  expect([...tests.keys()].filter((row) => !ids.includes(row))).toEqual([]);
});
it('no row is both tested and unreachable, and reasons are about rows', () => {
  expect(Object.keys(UNREACHABLE).filter((id) => tests.has(id) || !ids.includes(id))).toEqual([]);
  expect(Object.keys(UNREACHABLE_PARTS).filter((id) => !tests.has(id))).toEqual([]);
});
it('names of tests are unique', () => {
  const names = [...tests.values()].flat();
  expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
});
it('there are as many rows as the reference has', () => {
  expect(ids).toHaveLength(new Set(ids).size);
  expect(ids).toHaveLength(352);
});
