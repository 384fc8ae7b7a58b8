import { parseEpcSize } from './epc-size.js';

const PAGE_BYTES = 4096;

/** What a limit looks like, for editors. */
export const LIMIT_PATTERN = '^(max|\\d+(\\.\\d+)? ?(%|B|KiB|MiB|GiB|TiB|pages?))$';

/** A limit as it was given: a share of the EPC becomes bytes when the machine is known. */
export type GroupLimit =
  | { readonly kind: 'none' }
  | { readonly kind: 'bytes'; readonly bytes: number }
  | { readonly kind: 'share'; readonly share: number };

/** A limit, or what is wrong with it; the problem continues a sentence such as "cgroups.a.max …". */
export type ParsedLimit = GroupLimit | { readonly problem: string; readonly hint: string };

const accepted = 'accepted: max, 50% (of the EPC), 8MiB, 512KiB, 2048 pages, 8388608B, or 0 pages';

/** Reads a limit, such as `2MiB`, `50%` or `max`. Bare numbers are refused: bytes and pages are both in use. */
export function parseGroupLimit(value: unknown): ParsedLimit {
  if (value === 'max') return { kind: 'none' };
  if (value === 0 || value === '0 pages') return { kind: 'bytes', bytes: 0 };
  if (typeof value === 'number') return { problem: `is ${value} without a unit`, hint: accepted };
  const text = typeof value === 'string' ? value.trim() : '';
  const percent = /^(\d+(?:\.\d+)?) ?%$/.exec(text)?.[1];
  if (percent !== undefined) return shareOf(text, Number(percent));
  const bytes = /^(\d{1,16}) ?B$/.exec(text)?.[1];
  if (bytes !== undefined) return bytesOf(text, Number(bytes));
  const size = parseEpcSize(value);
  if ('pageCount' in size) return { kind: 'bytes', bytes: size.pageCount * PAGE_BYTES };
  return { problem: size.problem.replace('not a size', 'not a limit'), hint: accepted };
}

function shareOf(text: string, percent: number): ParsedLimit {
  if (percent <= 100) return { kind: 'share', share: percent / 100 };
  return { problem: `is ${text}, which is more than the EPC`, hint: accepted };
}

function bytesOf(text: string, bytes: number): ParsedLimit {
  if (Number.isSafeInteger(bytes)) return { kind: 'bytes', bytes };
  return { problem: `is ${text}, which is more than 2^53 - 1 bytes`, hint: accepted };
}

/** The limit in bytes, shares rounded down to pages; null: none. */
export function limitBytes(limit: GroupLimit, epcPages: number): number | null {
  if (limit.kind === 'none') return null;
  return limit.kind === 'bytes' ? limit.bytes : Math.floor(limit.share * epcPages) * PAGE_BYTES;
}
