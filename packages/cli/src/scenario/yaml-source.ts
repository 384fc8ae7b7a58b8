import { EpckitError } from '@epckit/interface';
import type { Document, Node } from 'yaml';
import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument } from 'yaml';
import type { KeyPath } from './key-path.js';

/** A YAML file as plain data that still knows where each value stands. */
export interface YamlSource {
  /** The plain data. */
  readonly value: unknown;
  /**
   * Returns `file:line:column` of a value, of its key, or, if there is no such value, of the innermost
   * value around it.
   */
  locate(path: KeyPath, what?: 'key' | 'value'): string;
}

/**
 * Parses YAML.
 *
 * @param name - how the user called the file
 * @throws EpckitError `EPCKIT_SCENARIO` at the first syntax error; warnings count, because what they warn of
 *   would otherwise be dropped silently
 */
export function parseYaml(text: string, name: string): YamlSource {
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { lineCounter, prettyErrors: false });
  const place = (offset: number): string => {
    const { line, col } = lineCounter.linePos(offset);
    return `${name}:${Math.max(1, line)}:${Math.max(1, col)}`;
  };
  const [fault] = [...document.errors, ...document.warnings].sort((a, b) => a.pos[0] - b.pos[0]);
  if (fault !== undefined) {
    const message = `${place(fault.pos[0])}: This is not valid YAML: ${firstLine(fault.message)}`;
    throw new EpckitError('EPCKIT_SCENARIO', message, [], {
      hint: 'Check indentation, colons and quotes near this place.',
    });
  }
  return {
    value: plainValue(document, name),
    locate: (path, what = 'value') => place(offsetOf(document, path, what)),
  };
}

/** The document as plain values. @throws EpckitError for aliases that lead nowhere or explode */
function plainValue(document: Document.Parsed, name: string): unknown {
  try {
    return document.toJS();
  } catch (error) {
    const message = `${name}: This is not valid YAML: ${firstLine((error as Error).message)}`;
    throw new EpckitError('EPCKIT_SCENARIO', message, [], { hint: 'Check the aliases (*name) of the file.' });
  }
}

function firstLine(message: string): string {
  const line = message.split('\n', 1)[0]!;
  return line.endsWith('.') ? line : `${line}.`;
}

function offsetOf(document: Document.Parsed, path: KeyPath, what: 'key' | 'value'): number {
  let node: unknown = document.contents;
  let offset = startOf(node) ?? 0;
  for (const [depth, step] of path.entries()) {
    const isLast = depth === path.length - 1;
    const [key, value] = childOf(resolveAlias(node, document), step);
    const start = isLast && what === 'key' ? startOf(key) : startOf(value);
    offset = start ?? startOf(key) ?? offset;
    if (value === undefined) break;
    node = value;
  }
  return offset;
}

function resolveAlias(node: unknown, document: Document.Parsed): unknown {
  return isAlias(node) ? node.resolve(document) : node;
}

/** Key node and value node of one step down. */
function childOf(node: unknown, step: PropertyKey): readonly [unknown, unknown] {
  if (isMap(node)) {
    const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(step));
    return [pair?.key, pair?.value];
  }
  return isSeq(node) && typeof step === 'number' ? [undefined, node.items[step]] : [undefined, undefined];
}

function startOf(node: unknown): number | undefined {
  return (node as Node | null | undefined)?.range?.[0];
}
