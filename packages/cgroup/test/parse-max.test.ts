import { expect, it } from 'vitest';
import { CgroupErrno, formatLimit, parseMax, Resource, UNLIMITED } from '../src/index.js';

const { EINVAL, ERANGE } = CgroupErrno;
const MAX = 2n ** 64n - 1n;

/** What is written to `misc.max`, and the limit or the errno. */
const table: readonly [string, bigint | number][] = [
  // the table of the reference
  ['sgx_epc 1048576', 1048576n],
  ['sgx_epc max', MAX],
  ['sgx_epc 0', 0n],
  ['sgx_epc 0x100000', 1048576n],
  ['sgx_epc 010', 8n],
  ['sgx_epc +5', 5n],
  ['sgx_epc 4097', 4097n],
  ['sgx_epc\t5', -EINVAL],
  ['sgx_epc -1', -EINVAL],
  ['sgx_epc 18446744073709551616', -ERANGE],
  ['sgx_epc', -EINVAL],
  ['max', -EINVAL],
  ['', -EINVAL],
  ['sgx_epc  5', -EINVAL],
  ['sgx_epc 5 6', -EINVAL],
  ['sgx_epc Max', -EINVAL],
  ['sgx_epc 1M', -EINVAL],
  ['nosuch 5', -EINVAL],
  // white space around the whole buffer
  ['\n\t sgx_epc 5 \v\f\r\n', 5n],
  ['\n', -EINVAL],
  [' ', -EINVAL],
  ['sgx_epc ', -EINVAL],
  ['sgx_epc \n5', -EINVAL],
  ['sgx_epc 5\n6', -EINVAL],
  ['sgx_epc 5\nsev 6', -EINVAL],
  ['sgx_epc\u00a05', -EINVAL],
  ['sgx_epc 5\u2003', -EINVAL],
  ['sgx_epc 5\0 6', 5n],
  // names
  ['SGX_EPC 5', -EINVAL],
  ['sgx_epc.max 5', -EINVAL],
  ['sgx 5', -EINVAL],
  ['tdx 5', -EINVAL],
  ['sev 3', 3n],
  ['toString 5', -EINVAL],
  // numbers
  ['sgx_epc 18446744073709551615', MAX],
  ['sgx_epc 0xffffffffffffffff', MAX],
  ['sgx_epc 0XFFFFffff', 4294967295n],
  ['sgx_epc 0x10000000000000000', -ERANGE],
  ['sgx_epc 01777777777777777777777', MAX],
  ['sgx_epc 02000000000000000000000', -ERANGE],
  ['sgx_epc 99999999999999999999x', -ERANGE],
  ['sgx_epc 9007199254740993', 9007199254740993n],
  ['sgx_epc 08', -EINVAL],
  ['sgx_epc 0x', -EINVAL],
  ['sgx_epc 0xg', -EINVAL],
  ['sgx_epc +', -EINVAL],
  ['sgx_epc ++5', -EINVAL],
  ['sgx_epc +-5', -EINVAL],
  ['sgx_epc +max', -EINVAL],
  ['sgx_epc maximum', -EINVAL],
  ['sgx_epc 1e3', -EINVAL],
  ['sgx_epc 1_000', -EINVAL],
  ['sgx_epc 1.0', -EINVAL],
  ['sgx_epc 0b1', -EINVAL],
  ['sgx_epc 00', 0n],
];

it.each(table)('%j', (text, expected) => {
  const setting = parseMax(text, [Resource.SEV, Resource.SGX_EPC]);
  expect(typeof setting === 'number' ? setting : setting.limit).toBe(expected);
  if (typeof setting !== 'number') {
    expect(setting.resource).toBe(text.includes('sev') ? Resource.SEV : Resource.SGX_EPC);
  }
});

it('shows the largest number as max, and any other exactly', () => {
  expect([UNLIMITED, MAX - 1n, 2n ** 53n + 1n, 0n].map(formatLimit)).toEqual([
    'max',
    '18446744073709551614',
    '9007199254740993',
    '0',
  ]);
});
