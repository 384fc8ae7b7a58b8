import { MAX_RUN_COUNT } from './run-batch.js';
import { TraceError } from './trace-error.js';

/** A line that the parser refused, with its place. */
export interface BadLine {
  /** The path, or the name given to a stream. */
  readonly source: string;
  /** The line, counted from 1. */
  readonly line: number;
  /** Offset of the line's first byte in the uncompressed text. */
  readonly byteOffset: number;
  /** The line without its LF; cut off when it is very long. */
  readonly bytes: Uint8Array;
}

const LINE_HINT =
  'A line is "<page> <type> <count>": lower-case hexadecimal page number, R, W or X, decimal count of at least 1; for example "401a X 2".';

const FOREIGN_HINT =
  'Expected page runs as text or gzip: one "<page> <type> <count>" per line, for example "401a X 2".';

/** First bytes of containers that people rename by accident, and how to open them. */
const CONTAINERS: ReadonlyArray<readonly [name: string, magic: readonly number[]]> = [
  ['zstd', [0x28, 0xb5, 0x2f, 0xfd]],
  ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a]],
  ['zip', [0x50, 0x4b, 0x03, 0x04]],
  ['bzip2', [0x42, 0x5a, 0x68]],
  ['gzip (inside gzip)', [0x1f, 0x8b]],
];

/** Makes the error for a line that the parser refused. */
export function explainBadLine(bad: BadLine): TraceError {
  const foreign = bad.line === 1 ? foreignFormat(bad.bytes) : undefined;
  if (foreign !== undefined) return notATrace(bad, foreign);
  const { reason, column } = findReason(Buffer.from(bad.bytes).toString('latin1'));
  const byteOffset = bad.byteOffset + column;
  return new TraceError(
    'EPCKIT_TRACE_BAD_LINE',
    `${bad.source}, line ${bad.line} (byte ${byteOffset}): ${reason}.`,
    { hint: LINE_HINT, source: bad.source, line: bad.line, byteOffset },
  );
}

function notATrace(bad: BadLine, foreign: string): TraceError {
  return new TraceError(
    'EPCKIT_TRACE_NOT_A_TRACE',
    `${bad.source}, line 1 (byte ${bad.byteOffset}): this is no page-run trace but ${foreign}.`,
    { hint: FOREIGN_HINT, source: bad.source, line: 1, byteOffset: bad.byteOffset },
  );
}

/** Names what the first line rather is, or undefined when it looks like a run with a slip in it. */
function foreignFormat(bytes: Uint8Array): string | undefined {
  for (const [name, magic] of CONTAINERS) {
    if (magic.every((byte, index) => bytes[index] === byte)) return `${name} data`;
  }
  if (bytes.some((byte) => byte !== 9 && byte !== 13 && (byte < 32 || byte > 126))) {
    return 'binary data (or text that is not ASCII)';
  }
  const line = Buffer.from(bytes).toString('latin1');
  if (/^(I {2}| [LSM] )[0-9a-f]+,\d+/.test(line)) return 'the output of Valgrind lackey';
  if (/^==\d+==/.test(line)) return 'the output of Valgrind';
  const looksLikeRun = line === '' || /^(0x)?[0-9a-f]+( |\r?$)/i.test(line) || /^\S{1,16} \S+ \d/.test(line);
  return looksLikeRun ? undefined : `other text (it starts with ${quote(line, 24)})`;
}

interface Reason {
  readonly reason: string;
  readonly column: number;
}

/** Goes through a line field by field and says what is wrong first, and where. */
function findReason(line: string): Reason {
  if (line === '') return { reason: 'the line is empty', column: 0 };
  const pageEnd = endOf(line, 0);
  const badPage = findPageReason(line.slice(0, pageEnd));
  if (badPage !== undefined) return badPage;
  if (pageEnd === line.length) return { reason: 'type and count are missing', column: pageEnd };
  const typeStart = pageEnd + 1;
  const typeEnd = endOf(line, typeStart);
  const type = line.slice(typeStart, typeEnd);
  if (!/^[RWX]$/.test(type)) {
    const reason = type === '' ? 'the type is missing' : `the type is ${quote(type)}, not R, W or X`;
    return { reason, column: typeStart };
  }
  if (typeEnd === line.length) return { reason: 'the count is missing', column: typeEnd };
  return findCountReason(line, typeEnd + 1);
}

function findPageReason(page: string): Reason | undefined {
  if (page === '') return { reason: 'the line starts with a blank', column: 0 };
  if (/^0x/i.test(page)) {
    return { reason: `the page number ${quote(page)} has a "0x" prefix`, column: 0 };
  }
  const column = page.search(/[^0-9a-f]/);
  if (column >= 0) {
    const kind = /[A-F]/.test(page.charAt(column)) ? 'an upper-case digit' : 'a non-hexadecimal character';
    return { reason: `the page number ${quote(page)} contains ${kind}`, column };
  }
  if (page.length <= 13) return undefined;
  return { reason: `the page number ${quote(page)} has more than 13 digits (52 bits)`, column: 0 };
}

function findCountReason(line: string, start: number): Reason {
  const rest = line.slice(start);
  const digits = /^\d*/.exec(rest)?.[0] ?? '';
  if (rest === '') return { reason: 'the count is missing', column: start };
  if (digits === '') {
    return { reason: `the count ${quote(rest)} is not a decimal number`, column: start };
  }
  if (digits.length < rest.length) {
    const trailing = rest.slice(digits.length);
    const reason =
      trailing === '\r'
        ? 'the line ends with CR LF instead of LF'
        : `there is ${quote(trailing)} after the count`;
    return { reason, column: start + digits.length };
  }
  if (/^0+$/.test(digits)) return { reason: 'the count is 0', column: start };
  return { reason: `the count ${quote(digits)} is above ${MAX_RUN_COUNT}`, column: start };
}

function endOf(line: string, start: number): number {
  const blank = line.indexOf(' ', start);
  return blank < 0 ? line.length : blank;
}

function quote(text: string, maxLength = 40): string {
  return JSON.stringify(text.length > maxLength ? `${text.slice(0, maxLength)}…` : text);
}
