/** Bytes of an EPC page. */
const PAGE_BYTES = 4096;

/** Largest EPC that a scenario may ask for: 1 TiB, far above what any machine has. */
const MAX_PAGES = 2 ** 28;

const PAGES_PER_UNIT: Readonly<Record<string, number>> = {
  KiB: 1024 / PAGE_BYTES,
  MiB: 1024 ** 2 / PAGE_BYTES,
  GiB: 1024 ** 3 / PAGE_BYTES,
  TiB: 1024 ** 4 / PAGE_BYTES,
  page: 1,
  pages: 1,
};

/** What a size looks like, for editors. */
export const EPC_SIZE_PATTERN = '^\\d+(\\.\\d+)? ?(KiB|MiB|GiB|TiB|pages?)$';

/** A size in pages, or what is wrong with it. */
export type ParsedSize = { readonly pageCount: number } | { readonly problem: string; readonly hint: string };

/**
 * Reads an EPC size with its unit, such as `8MiB` or `2048 pages`.
 *
 * A bare number is refused: bytes, pages and MiB are all in use for EPC, and a wrong guess is off by a factor
 * of 4096.
 *
 * @returns the size, or a problem that continues a sentence such as "machine.epc …"
 */
export function parseEpcSize(value: unknown): ParsedSize {
  if (typeof value === 'number') {
    return {
      problem: `is ${value} without a unit`,
      hint: `give a unit: 8MiB or 2048 pages`,
    };
  }
  const match = typeof value === 'string' ? /^(\d+(?:\.\d+)?) ?([A-Za-z]+)$/.exec(value.trim()) : null;
  if (match === null) {
    return { problem: `is ${JSON.stringify(value)}, which is not a size`, hint: 'write 8MiB or 2048 pages' };
  }
  const [, amount, unit] = match as unknown as [string, string, string];
  if (unit === 'B') return bytesProblem(Number(amount));
  const pagesPerUnit = Object.hasOwn(PAGES_PER_UNIT, unit) ? PAGES_PER_UNIT[unit] : undefined;
  if (pagesPerUnit === undefined) {
    return {
      problem: `has the unknown unit "${unit}"`,
      hint: `units are KiB, MiB, GiB, TiB and pages (of 4 KiB): ${similarSize(amount, unit)}`,
    };
  }
  return checkPageCount(value as string, Number(amount) * pagesPerUnit);
}

function checkPageCount(given: string, pageCount: number): ParsedSize {
  if (!Number.isInteger(pageCount)) {
    return {
      problem: `is ${given}, which is not a whole number of pages`,
      hint: `an EPC page has 4 KiB; the next size is ${Math.ceil(pageCount)} pages`,
    };
  }
  if (pageCount === 0) {
    return { problem: 'asks for an EPC of 0 pages', hint: 'give at least 1 page; 8MiB are 2048 pages' };
  }
  if (pageCount > MAX_PAGES) {
    return { problem: `is ${given}, which is more than 1 TiB`, hint: `at most ${MAX_PAGES} pages` };
  }
  return { pageCount };
}

/** Bytes are no unit here: EPC comes in pages. The hint says how many pages the amount is. */
function bytesProblem(bytes: number): ParsedSize {
  const pages = bytes / PAGE_BYTES;
  if (Number.isInteger(pages)) {
    return { problem: 'has the unit "B"', hint: `give it in pages (of 4 KiB): ${plural(pages)}` };
  }
  return {
    problem: `is ${bytes} bytes, which is not a multiple of ${PAGE_BYTES}`,
    hint: `an EPC page has ${PAGE_BYTES} bytes; the next size is ${plural(Math.ceil(pages))}`,
  };
}

function plural(pageCount: number): string {
  return `${pageCount} page${pageCount === 1 ? '' : 's'}`;
}

/** The same amount in the unit that was probably meant. */
function similarSize(amount: string, unit: string): string {
  const prefix = unit.charAt(0).toUpperCase();
  return ['K', 'M', 'G', 'T'].includes(prefix) ? `${amount}${prefix}iB` : `${amount}MiB or ${amount} pages`;
}
