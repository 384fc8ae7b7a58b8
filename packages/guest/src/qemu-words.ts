import { MisuseError } from '@epckit/interface';

/** Where a scan of a command line is. */
interface Scan {
  readonly line: string;
  at: number;
}

/** JSON that begins a word without quotes around it, as process listings print it. */
const BARE_JSON = /\{\s*["}]/y;
/** Characters that a backslash between double quotes stands before. */
const ESCAPED = '"\\$`';

/**
 * Words of a command line as a shell splits it: at whitespace, with quotes, and backslashes before characters and ends of
 * lines. Nothing is expanded. JSON without quotes around it is one word as it stands.
 *
 * @throws MisuseError for a quote, or JSON, without an end
 */
export function wordsOf(line: string): string[] {
  const scan: Scan = { line, at: 0 };
  const words: string[] = [];
  for (let word = nextWord(scan); word !== null; word = nextWord(scan)) words.push(word);
  return words;
}

function nextWord(scan: Scan): string | null {
  const { line } = scan;
  while (/^(\s|\\\n)/.test(line.slice(scan.at, scan.at + 2))) scan.at += line[scan.at] === '\\' ? 2 : 1;
  if (scan.at >= line.length) return null;
  BARE_JSON.lastIndex = scan.at;
  let word = BARE_JSON.test(line) ? bareJson(scan) : '';
  while (scan.at < line.length && !/\s/.test(line[scan.at] as string)) word += nextPart(scan);
  return word;
}

/** What stands between a pair of quotes, or a character outside of them. */
function nextPart(scan: Scan): string {
  const { line } = scan;
  const start = line[scan.at++] as string;
  if (start === '\\') {
    const next = line[scan.at++] ?? '';
    return next === '\n' ? '' : next;
  }
  if (start !== "'" && start !== '"') return start;
  let part = '';
  for (; scan.at < line.length; scan.at++) {
    const character = line[scan.at] as string;
    if (character === start) {
      scan.at++;
      return part;
    }
    const next = line[scan.at + 1] ?? ' ';
    const isEscape = start === '"' && character === '\\' && ESCAPED.includes(next);
    if (isEscape) scan.at++;
    part += isEscape ? next : character;
  }
  throw endless(`a quote (${start})`);
}

/** From one brace to that which closes it; braces within strings do not count. */
function bareJson(scan: Scan): string {
  const { line } = scan;
  const start = scan.at;
  let depth = 0;
  let isString = false;
  for (; scan.at < line.length; scan.at++) {
    const character = line[scan.at];
    if (isString) {
      if (character === '\\') scan.at++;
      else if (character === '"') isString = false;
    } else if (character === '"') isString = true;
    else if (character === '{') depth++;
    else if (character === '}' && --depth === 0) return line.slice(start, ++scan.at);
  }
  throw endless('JSON');
}

function endless(what: string): MisuseError {
  return new MisuseError(`Options of QEMU: ${what} has no end.`, [], {
    hint: "Put JSON in single quotes: -object '{…}'.",
  });
}
