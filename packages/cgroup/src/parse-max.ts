import { CgroupErrno } from './errno.js';
import { formatU64, parseU64, strip, U64_MAX } from './parse-number.js';
import type { ResourceId } from './resource.js';
import { resourceOf } from './resource.js';

/** What a write to `misc.max` asks for. */
export interface MaxSetting {
  /** Resource that is limited. */
  readonly resource: ResourceId;
  /** Limit in the resource's unit, bytes for `sgx_epc`; {@link UNLIMITED} for `max`. */
  readonly limit: bigint;
}

/** The limit that is none, `max` in files: 2⁶⁴ − 1. */
export const UNLIMITED: bigint = U64_MAX;

/**
 * Reads what is written to `misc.max` (the parsing half of Linux `misc_cg_max_write`): `<name> <number>` or
 * `<name> max`, with one space between. Capacity is not looked at.
 *
 * @param resources which resources exist
 * @returns what was asked for, `-EINVAL` or `-ERANGE`
 */
export function parseMax(text: string, resources: readonly ResourceId[]): MaxSetting | number {
  const stripped = strip(text);
  const space = stripped.indexOf(' ');
  if (space < 0) return -CgroupErrno.EINVAL;
  const resource = resourceOf(stripped.slice(0, space));
  if (resource === undefined || !resources.includes(resource)) return -CgroupErrno.EINVAL;
  const limit = parseLimit(stripped.slice(space + 1));
  return typeof limit === 'number' ? limit : { resource, limit };
}

/** Reads a number, or `max`. @returns limit, `-EINVAL` or `-ERANGE` */
export function parseLimit(word: string): bigint | number {
  return word === 'max' ? UNLIMITED : parseU64(word);
}

/** A limit as `misc.max` shows it. */
export function formatLimit(limit: number | bigint): string {
  return limit === UNLIMITED ? 'max' : formatU64(limit);
}
