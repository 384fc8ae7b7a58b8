import { resolve } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { EpckitError } from '@epckit/interface';
import type { Script } from 'epckit';
import { readInputFile } from '../input-file.js';
import { formatPath } from '../scenario/key-path.js';
import { findJsonFault } from './json-fault.js';
import { asScript, scriptSchema } from './script-schema.js';

/**
 * Reads and checks a replay script, plain or gzip (recognised by content).
 *
 * @param path - as the user gave it; stands in messages
 * @param cwd - folder that a relative path starts from
 * @param needsExpect - is a record to compare with needed for every step?
 * @throws EpckitError `EPCKIT_INPUT_FILE` if it cannot be read, `EPCKIT_SCRIPT` if it is not a script
 */
export async function loadScript(path: string, cwd: string, needsExpect: boolean): Promise<Script> {
  const bytes = await readInputFile(resolve(cwd, path), path, 'replay script');
  const data = parseJson(isGzip(bytes) ? decompress(bytes, path) : bytes, path);
  checkFormat(data, path);
  const parsed = scriptSchema.safeParse(data);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    if (issue.code === 'unrecognized_keys') throw unknownKey(path, issue.path, issue.keys);
    const place = issue.path.length === 0 ? '' : ` at ${formatPath(issue.path)}`;
    throw badScript(`${path} is not a replay script: ${issue.message}${place}.`, WHAT_A_SCRIPT_IS);
  }
  const script = asScript(data);
  checkExpect(script, path, needsExpect);
  return script;
}

function unknownKey(path: string, place: readonly PropertyKey[], keys: readonly string[]): EpckitError {
  const where = place.length === 0 ? 'the script' : formatPath(place);
  const named = keys.map((key) => `'${key}'`).join(', ');
  const message = `${path}: ${where} has ${keys.length === 1 ? 'an unknown key' : 'unknown keys'} ${named}.`;
  return badScript(message, 'docs/reference/replay-format.md lists the keys.');
}

const WHAT_A_SCRIPT_IS = 'A script is a JSON object with format 1, name, machine and steps.';

function badScript(message: string, hint: string, cause?: unknown): EpckitError {
  return new EpckitError('EPCKIT_SCRIPT', message, [], { hint, cause });
}

function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}

function decompress(bytes: Uint8Array, path: string): Uint8Array {
  try {
    return gunzipSync(bytes);
  } catch (cause) {
    throw badScript(
      `${path} is a damaged or truncated gzip file.`,
      'Copy or download the file again.',
      cause,
    );
  }
}

function parseJson(bytes: Uint8Array, path: string): unknown {
  const text = decodeText(bytes, path);
  try {
    return JSON.parse(text);
  } catch (cause) {
    const fault = findJsonFault(text);
    const reason = cause instanceof Error ? cause.message : String(cause);
    const place = fault === null ? path : `${path}:${fault.line}:${fault.column}`;
    throw badScript(`${place}: This is not JSON: ${fault?.message ?? reason}.`, WHAT_A_SCRIPT_IS, cause);
  }
}

function decodeText(bytes: Uint8Array, path: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw badScript(`${path} is not text in UTF-8.`, WHAT_A_SCRIPT_IS, cause);
  }
}

/** Looks at the format first: a file of another format deserves a better answer than a list of keys. */
function checkFormat(data: unknown, path: string): void {
  const format = typeof data === 'object' && data !== null && 'format' in data ? data.format : undefined;
  if (format === 1) return;
  const given = format === undefined ? 'has no format' : `has format ${JSON.stringify(format)}`;
  throw badScript(`${path} ${given}.`, `This version reads format 1. ${WHAT_A_SCRIPT_IS}`);
}

function checkExpect({ steps, expect }: Script, path: string, needsExpect: boolean): void {
  if (expect === undefined) {
    if (!needsExpect) return;
    throw badScript(`${path} has no expect.`, 'Leave out --check to see what its steps do.');
  }
  if (expect.length !== steps.length) {
    const lengths = `${steps.length} steps but ${expect.length} records in expect`;
    throw badScript(
      `${path} has ${lengths}.`,
      'Record i belongs to step i: both lists must be equally long.',
    );
  }
}
