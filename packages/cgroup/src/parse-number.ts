import { CgroupErrno } from './errno.js';

/** Largest unsigned 64-bit number (Linux `U64_MAX`). */
export const U64_MAX: bigint = 2n ** 64n - 1n;

/** Digits of one base, then what follows them. A `0x` without a digit is the octal number 0 and a rest. */
const NUMBER = /^\+?(?:0x(?<hex>[0-9a-f]+)|(?<octal>0[0-7]*)|(?<decimal>[1-9][0-9]*))(?<rest>.*)$/is;

/**
 * Reads an unsigned 64-bit number whose base the prefix tells: `0x` hexadecimal, `0` octal, else decimal (Linux
 * `kstrtou64` with base 0). One `+` may lead and one line feed may follow.
 *
 * A number that is too large is `-ERANGE` even if something follows it, as in Linux.
 *
 * @returns the number, `-EINVAL` or `-ERANGE`
 */
export function parseU64(text: string): bigint | number {
  const groups = NUMBER.exec(text)?.groups;
  if (groups === undefined) return -CgroupErrno.EINVAL;
  const { hex, octal, decimal, rest } = groups;
  const value = BigInt(hex !== undefined ? `0x${hex}` : octal !== undefined ? `0o${octal}` : `${decimal}`);
  if (value > U64_MAX) return -CgroupErrno.ERANGE;
  return rest === '' || rest === '\n' ? value : -CgroupErrno.EINVAL;
}

/**
 * Strips leading and trailing white space (Linux `strstrip`): blank and the controls from tab to carriage return.
 * A buffer ends at its first NUL, like every C string.
 */
export function strip(text: string): string {
  const end = text.indexOf('\0');
  return (end < 0 ? text : text.slice(0, end)).replace(/^[\t-\r ]+/, '').replace(/[\t-\r ]+$/, '');
}

/** A counter as files print it, `%llu`: a negative one shows as the 64-bit number it wraps to. */
export function formatU64(value: number | bigint): string {
  return value >= 0 ? value.toString() : BigInt.asUintN(64, BigInt(value)).toString();
}
