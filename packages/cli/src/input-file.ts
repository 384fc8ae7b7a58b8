import { readFile } from 'node:fs/promises';
import { relative } from 'node:path';
import { EpckitError } from '@epckit/interface';

/** Describes an error of the file system in words; `null` for anything else. */
export function describeSystemError(error: unknown): string | null {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return null;
  switch (error.code) {
    case 'ENOENT':
    case 'ENOTDIR':
      return 'there is no such file or folder';
    case 'EISDIR':
      return 'it is a folder';
    case 'EACCES':
    case 'EPERM':
      return 'permission denied';
    default:
      return error.message;
  }
}

/**
 * Reads a whole input file.
 *
 * @param path - where it is
 * @param name - how the user called it; stands in messages
 * @param kind - what it should hold, such as `scenario`; stands in the hint
 * @throws EpckitError `EPCKIT_INPUT_FILE` if it cannot be read
 */
export async function readInputFile(path: string, name: string, kind: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    const reason = describeSystemError(error);
    if (reason === null) throw error;
    throw new EpckitError('EPCKIT_INPUT_FILE', `${name} cannot be read: ${reason}.`, [], {
      hint: `Give the path of a ${kind} file; relative paths start from the current folder.`,
      cause: error,
    });
  }
}

/** The shorter of the path from the current folder and the full path; the folder we are in is `.`. */
export function shownPath(path: string, cwd: string): string {
  const fromHere = relative(cwd, path) || '.';
  return fromHere.length < path.length ? fromHere : path;
}
