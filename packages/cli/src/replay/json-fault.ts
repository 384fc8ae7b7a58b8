/** Where a text stops being JSON. */
export interface JsonFault {
  /** From 1. */
  readonly line: number;
  /** From 1, in UTF-16 units. */
  readonly column: number;
  /** What is wrong, to be continued by a full stop. */
  readonly message: string;
}

const space = /[ \t\n\r]*/y;
const scalar = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.+-])|(?:true|false|null)(?!\w)/y;
/** Everything but control characters, the quote and the backslash. */
const plain = /[ !#-[\]-\uffff]*/y;
const escaped = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;

/** What may come next: a value, a key, or what stands between them. */
type Expected = 'value' | 'first value' | 'key' | 'first key' | 'colon' | 'rest' | 'end';

const names: Readonly<Record<Expected, string>> = {
  value: 'a value',
  'first value': 'a value or ]',
  key: 'a key in double quotes',
  'first key': 'a key in double quotes or }',
  colon: 'a colon',
  rest: 'a comma or the closing bracket',
  end: 'the end of the file',
};

/**
 * Finds the first place at which `text` is no JSON (RFC 8259), or `null` if all of it is.
 *
 * `JSON.parse` says where only for some errors, in words that differ between versions of Node.js.
 */
export function findJsonFault(text: string): JsonFault | null {
  const scan = new JsonScan(text);
  while (scan.step());
  return scan.fault;
}

class JsonScan {
  fault: JsonFault | null = null;
  readonly #text: string;
  /** Brackets that are open. */
  readonly #open: ('{' | '[')[] = [];
  #at = 0;
  #expected: Expected = 'value';

  constructor(text: string) {
    this.#text = text;
  }

  /** Reads one token. @returns false at the end and at a fault */
  step(): boolean {
    this.#take(space);
    const next = this.#text[this.#at];
    if (next === undefined) {
      if (this.#expected !== 'end') this.#fail('the file ends here, unfinished');
      return false;
    }
    if (!this.#token(next) && this.fault === null) {
      this.#fail(`${names[this.#expected]} is expected, not ${JSON.stringify(next)}`);
    }
    return this.fault === null;
  }

  /** @returns whether the token that begins with `next` is allowed here */
  #token(next: string): boolean {
    switch (this.#expected) {
      case 'first value':
        return next === ']' ? this.#close() : this.#value(next);
      case 'value':
        return this.#value(next);
      case 'first key':
        return next === '}' ? this.#close() : this.#key(next);
      case 'key':
        return this.#key(next);
      case 'colon':
        return next === ':' && this.#skip('value');
      case 'rest':
        return this.#rest(next);
      case 'end':
        return false;
    }
  }

  #value(next: string): boolean {
    if (next === '{' || next === '[') {
      this.#open.push(next);
      return this.#skip(next === '{' ? 'first key' : 'first value');
    }
    const isRead = next === '"' ? this.#string() : this.#take(scalar);
    if (isRead) this.#afterValue();
    return isRead;
  }

  #key(next: string): boolean {
    if (next !== '"' || !this.#string()) return false;
    this.#expected = 'colon';
    return true;
  }

  #rest(next: string): boolean {
    const isObject = this.#open.at(-1) === '{';
    if (next === ',') return this.#skip(isObject ? 'key' : 'value');
    return next === (isObject ? '}' : ']') && this.#close();
  }

  #close(): boolean {
    this.#open.pop();
    this.#at++;
    this.#afterValue();
    return true;
  }

  #afterValue(): void {
    this.#expected = this.#open.length === 0 ? 'end' : 'rest';
  }

  #skip(expected: Expected): boolean {
    this.#at++;
    this.#expected = expected;
    return true;
  }

  /** A string, from its opening quote on. */
  #string(): boolean {
    const begin = this.#at++;
    do this.#take(plain);
    while (this.#take(escaped));
    if (this.#text[this.#at] === '"') {
      this.#at++;
      return true;
    }
    const isOpen = this.#at === this.#text.length || this.#text[this.#at] === '\n';
    if (isOpen) this.#at = begin;
    this.#fail(isOpen ? 'a text begins that has no closing quote' : 'a text holds what must be escaped');
    return false;
  }

  /** @returns whether something was taken */
  #take(pattern: RegExp): boolean {
    pattern.lastIndex = this.#at;
    if (!pattern.test(this.#text) || pattern.lastIndex === this.#at) return false;
    this.#at = pattern.lastIndex;
    return true;
  }

  #fail(message: string): void {
    const before = this.#text.slice(0, this.#at);
    const line = before.split('\n').length;
    this.fault = { line, column: this.#at - before.lastIndexOf('\n'), message };
  }
}
