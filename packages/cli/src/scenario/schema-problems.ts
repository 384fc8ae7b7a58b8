import type { z } from 'zod';
import { nearestWord } from '../did-you-mean.js';
import { formatPath, type KeyPath, valueAt } from './key-path.js';
import type { Problem } from './problem.js';
import { foreignGuestKeys } from './vm-schema.js';

type Issue = z.core.$ZodIssue;

/** The part of a JSON Schema that messages are made of. */
export interface SchemaNode {
  readonly title?: string;
  readonly type?: string;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly items?: SchemaNode;
  readonly additionalProperties?: SchemaNode | boolean;
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, SchemaNode>>;
  readonly anyOf?: readonly SchemaNode[];
}

/** A problem, and what it says about other problems. */
interface Finding extends Problem {
  /** The key that is missing, as a path. */
  readonly missing?: string;
  /** The known key that an unknown one probably stands for, as a path. */
  readonly meant?: string | null;
}

/**
 * Says in words what a failed validation found. A missing key is not reported where it is only mistyped.
 *
 * @param issues - as zod reports them
 * @param data - what was validated
 * @param root - schema that it does not meet
 */
export function schemaProblems(issues: readonly Issue[], data: unknown, root: SchemaNode): Problem[] {
  const findings = issues.flatMap((issue) => findingsOf(issue, data, root));
  const meant = new Set(findings.map((finding) => finding.meant));
  return findings.filter(({ missing }) => missing === undefined || !meant.has(missing));
}

function findingsOf(issue: Issue, data: unknown, root: SchemaNode): Finding[] {
  if (issue.code === 'unrecognized_keys') {
    const at = schemaAt(root, issue.path);
    const branches = at === undefined ? [] : [at, ...(at.anyOf ?? [])];
    const known = branches.flatMap(({ properties }) => Object.keys(properties ?? {}));
    return issue.keys.map((key) => unknownKey(issue.path, key, known));
  }
  if (issue.code === 'invalid_union') {
    const branch = meantBranch(issue);
    return branch.flatMap((inner) =>
      findingsOf({ ...inner, path: [...issue.path, ...inner.path] }, data, root),
    );
  }
  const { path } = issue;
  const name = path.length === 0 ? (root.title ?? 'The file') : formatPath(path);
  const value = valueAt(data, path);
  const schema = schemaAt(root, path);
  const meaning = schema?.description;
  if (value === undefined) {
    const hint = meaning === undefined ? 'Add the key.' : `Add it: ${meaning}.`;
    return [{ path, at: 'value', message: `${name} is missing.`, hint, missing: name }];
  }
  const hint = meaning === undefined ? 'See the list of keys in the README.' : `${name}: ${meaning}.`;
  return [{ path, at: 'value', ...sentenceOf(issue, name, value, hint, schema) }];
}

/** Does the path lead to an enclave of a guest? */
function isGuestEnclave(path: KeyPath): boolean {
  return path.length === 4 && path[0] === 'vms' && path[2] === 'enclaves';
}

function unknownKey(parent: KeyPath, key: string, known: readonly string[]): Finding {
  const path = [...parent, key];
  const isForeign = isGuestEnclave(parent) && Object.hasOwn(foreignGuestKeys, key);
  const elsewhere = isForeign ? foreignGuestKeys[key] : undefined;
  if (elsewhere !== undefined) {
    const message = `${formatPath(path)} is a key of enclaves of the host only.`;
    return { path, at: 'key', message, hint: elsewhere, meant: null };
  }
  const nearest = nearestWord(key, known);
  const guess = nearest === null ? '' : `Did you mean ${nearest}? `;
  const hint = `${guess}Known here: ${known.join(', ')}.`;
  const meant = nearest === null ? null : formatPath([...parent, nearest]);
  return { path, at: 'key', message: `${formatPath(path)} is not a known key.`, hint, meant };
}

/** The alternative of a union that got furthest: the one that the writer had in mind. */
function meantBranch(issue: Extract<Issue, { code: 'invalid_union' }>): readonly Issue[] {
  const depth = (branch: readonly Issue[]) =>
    Math.max(...branch.map((inner) => inner.path.length + (inner.code === 'invalid_type' ? 0 : 1)));
  return [...issue.errors].sort((left, right) => depth(right) - depth(left))[0] ?? [];
}

function sentenceOf(issue: Issue, name: string, value: unknown, hint: string, schema?: SchemaNode) {
  const given = shorten(value);
  switch (issue.code) {
    case 'custom':
      return { message: `${name} ${issue.message}.`, hint: String(issue.params?.['hint'] ?? hint) };
    case 'invalid_value': {
      const allowed = issue.values.map(String);
      const nearest = typeof value === 'string' ? nearestWord(value, allowed) : null;
      const guess = nearest === null ? hint : `Did you mean ${nearest}?`;
      return { message: `${name} must be ${allowed.join(' or ')}, not ${given}.`, hint: guess };
    }
    case 'too_small':
      return { message: `${name} ${boundOf(lowerWord(issue), issue.origin, issue.minimum, given)}.`, hint };
    case 'too_big':
      return { message: `${name} ${boundOf(upperWord(issue), issue.origin, issue.maximum, given)}.`, hint };
    case 'invalid_type':
      return { message: `${name} must be ${typeWord(schema?.type ?? issue.expected)}, not ${given}.`, hint };
    case 'invalid_format':
      return { message: `${name} ${issue.message}, not ${given}.`, hint };
    case 'invalid_key': {
      const named = 'A name begins with a letter or _; letters, digits, _ and - follow.';
      return { message: `${name} has a name that cannot stand there.`, hint: named };
    }
    default:
      return { message: `${name} is not valid: ${issue.message}.`, hint };
  }
}

function lowerWord({ inclusive }: { readonly inclusive?: boolean | undefined }): string {
  return inclusive === false ? 'more than' : 'at least';
}

function upperWord({ inclusive }: { readonly inclusive?: boolean | undefined }): string {
  return inclusive === false ? 'less than' : 'at most';
}

function boundOf(bound: string, origin: string, limit: number | bigint, given: string): string {
  if (origin === 'string') return 'must not be empty';
  if (origin === 'array') return limit === 1 ? 'must not be empty' : `must have ${bound} ${limit} entries`;
  return `must be ${bound} ${limit}, not ${given}`;
}

function typeWord(expected: string): string {
  const words: Readonly<Record<string, string>> = {
    integer: 'a whole number',
    int: 'a whole number',
    number: 'a number',
    string: 'text',
    boolean: 'true or false',
    array: 'a list',
    object: 'a mapping of keys to values',
  };
  return words[expected] ?? expected;
}

function shorten(value: unknown): string {
  if (value === null) return 'empty';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a mapping';
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value);
  return text.length > 40 ? `${text.slice(0, 37)}…` : text;
}

function schemaAt(root: SchemaNode, path: KeyPath): SchemaNode | undefined {
  return path.reduce<SchemaNode | undefined>((node, step) => {
    const branches = [node, ...(node?.anyOf ?? [])];
    const next =
      typeof step === 'number'
        ? branches.find((branch) => branch?.items)?.items
        : branches.map((branch) => valueNode(branch, String(step))).find((found) => found !== undefined);
    return resolved(root, next);
  }, root);
}

/** What a mapping says of the value of a key. */
function valueNode(node: SchemaNode | undefined, key: string): SchemaNode | undefined {
  const known = node?.properties?.[key];
  if (known !== undefined) return known;
  return typeof node?.additionalProperties === 'object' ? node.additionalProperties : undefined;
}

/** A definition that a node refers to, or the node itself. */
function resolved(root: SchemaNode, node: SchemaNode | undefined): SchemaNode | undefined {
  const name = node?.$ref?.split('/').at(-1);
  return name === undefined ? node : root.$defs?.[name];
}
