import { EpckitError } from '@epckit/interface';
import { isScalar, isSeq, parseDocument } from 'yaml';
import { formatPath, type KeyPath, valueAt } from '../scenario/key-path.js';
import type { YamlSource } from '../scenario/yaml-source.js';

/** A value that a key of a scenario takes: a YAML scalar. */
export type VaryValue = string | number | boolean;

/** One `--vary`: a key and the values that it takes. */
export interface Vary {
  /** The key as the user wrote it. */
  readonly name: string;
  /** The key as a path. */
  readonly path: KeyPath;
  /** At least one. */
  readonly values: readonly VaryValue[];
}

/** A key and the one value that it has in a combination. */
export interface Assignment {
  /** The key as the user wrote it. */
  readonly name: string;
  /** The key as a path. */
  readonly path: KeyPath;
  /** Its value. */
  readonly value: VaryValue;
}

/**
 * Reads `path=a,b,c`. Values are a YAML list without its brackets, so that a comma inside quotes is no end.
 *
 * @throws EpckitError `EPCKIT_ARGUMENT`
 */
function parseVary(text: string): Vary {
  const at = text.indexOf('=');
  const name = at < 0 ? text : text.slice(0, at);
  const path = parsePath(name);
  if (at < 0 || path === null) {
    throw badVary(text, 'it is not of the form path=a,b,c', 'Write --vary reclaim.batch=1,4,16.');
  }
  return { name, path, values: parseValues(text, text.slice(at + 1)) };
}

/** Reads all of them. @throws EpckitError `EPCKIT_ARGUMENT` if one is wrong or a key is given twice */
export function parseVaries(texts: readonly string[]): readonly Vary[] {
  const varies = texts.map(parseVary);
  for (const [index, { path, name }] of varies.entries()) {
    const key = formatPath(path);
    const first = varies.findIndex((other) => isWithin(formatPath(other.path), key));
    if (first === index) continue;
    throw badVary(name, `${key} is varied already`, 'Give all values in one --vary: path=a,b,c.');
  }
  return varies;
}

function isWithin(outer: string, inner: string): boolean {
  return inner === outer || inner.startsWith(`${outer}.`) || inner.startsWith(`${outer}[`);
}

/** `enclaves.0.trace` and `enclaves[0].trace` are the same. @returns null if it is no path */
function parsePath(text: string): KeyPath | null {
  const steps = text.replaceAll(/\[(\d+)\]/g, '.$1').split('.');
  if (steps.some((step) => !/^\w+$/.test(step))) return null;
  return steps.map((step) => (/^\d+$/.test(step) ? Number(step) : step));
}

function parseValues(text: string, list: string): VaryValue[] {
  const document = parseDocument(`[${list}]`, { prettyErrors: false });
  const items = isSeq(document.contents) ? document.contents.items : [];
  const isWhole = document.errors.length === 0 && document.warnings.length === 0;
  if (!isWhole || items.length === 0 || list.trim() === '') {
    throw badVary(text, 'its values are no list a,b,c', 'Put quotes around values with commas or brackets.');
  }
  return items.map((item, index) => {
    const value: unknown = isScalar(item) ? item.value : undefined;
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value;
    throw badVary(text, `value ${index + 1} is not a text, a number, true or false`, 'Give plain values.');
  });
}

/**
 * A scenario file in which some keys have other values. What is wrong with these is located on the command
 * line, everything else in the file.
 *
 * @throws EpckitError `EPCKIT_ARGUMENT` if a key cannot be there
 */
export function withAssignments(source: YamlSource, assignments: readonly Assignment[]): YamlSource {
  let value = source.value;
  for (const assignment of assignments) value = assign(value, assignment, 0);
  return {
    value,
    locate(path, what) {
      const hit = assignments.find((assignment) => concerns(assignment, path, source.value));
      return hit === undefined ? source.locate(path, what) : `--vary ${hit.name}=${hit.value}`;
    },
  };
}

/** Does a problem at `path` come from the assignment? */
function concerns(assignment: Assignment, path: KeyPath, original: unknown): boolean {
  const shared = Math.min(path.length, assignment.path.length);
  for (let i = 0; i < shared; i++) if (path[i] !== assignment.path[i]) return false;
  return path.length >= assignment.path.length || valueAt(original, path) === undefined;
}

function assign(data: unknown, assignment: Assignment, depth: number): unknown {
  const { path, value } = assignment;
  const step = path[depth];
  if (step === undefined) return value;
  if (typeof step === 'number') return assignInList(data, step, assignment, depth);
  if (data !== undefined && data !== null && (typeof data !== 'object' || Array.isArray(data))) {
    throw noSuchKey(assignment, depth, Array.isArray(data) ? 'a list' : `${data}`);
  }
  const keys = (data ?? {}) as Readonly<Record<PropertyKey, unknown>>;
  const old = Object.hasOwn(keys, step) ? keys[step] : undefined;
  return { ...keys, [step]: assign(old, assignment, depth + 1) };
}

function assignInList(data: unknown, step: number, assignment: Assignment, depth: number): unknown {
  if (!Array.isArray(data)) throw noSuchKey(assignment, depth, 'no list');
  if (step >= data.length) throw noSuchKey(assignment, depth, `a list of ${data.length}`);
  return data.map((item, index) => (index === step ? assign(item, assignment, depth + 1) : item));
}

function noSuchKey({ name, value, path }: Assignment, depth: number, found: string): EpckitError {
  const above = depth === 0 ? 'the scenario' : formatPath(path.slice(0, depth));
  const key = formatPath(path);
  return new EpckitError(
    'EPCKIT_ARGUMENT',
    `--vary ${name}=${value}: There is no ${key}: ${above} is ${found}.`,
    [],
    { hint: 'Entries of a list are numbered from 0: enclaves.0.trace. The README lists every key.' },
  );
}

function badVary(text: string, what: string, hint: string): EpckitError {
  return new EpckitError('EPCKIT_ARGUMENT', `--vary ${text}: ${what}.`, [], { hint });
}
