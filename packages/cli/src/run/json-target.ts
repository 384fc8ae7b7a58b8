import { access, constants, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { EpckitError } from '@epckit/interface';
import { describeSystemError } from '../input-file.js';

/** A file that a result goes to, checked before the work starts. */
export interface JsonTarget {
  /** Puts `value` into the file, as a whole or not at all. */
  write(value: unknown): Promise<void>;
}

/**
 * Checks that a result can be written to a file later; touches nothing yet.
 *
 * A regular file is replaced by renaming a complete one over it, so that no reader ever sees half a result
 * and an interrupted run leaves the former one. A link is followed. A device or a pipe is written in place:
 * renaming over it would destroy it.
 *
 * @param name - as the user gave it
 * @param cwd - folder that a relative path starts from
 * @param inputs - files that the run reads and that the result must not replace
 * @throws EpckitError `EPCKIT_OUTPUT_FILE` if it is a folder or its folder cannot be written
 */
export async function openJsonTarget(
  name: string,
  cwd: string,
  inputs: readonly string[] = [],
): Promise<JsonTarget> {
  return guarded(name, async () => {
    const path = await followLinks(resolve(cwd, name));
    const sources = await Promise.all(inputs.map(followLinks));
    if (sources.includes(path)) throw cannotWrite(name, 'it is read by this run');
    const kind = await kindOf(path);
    if (kind === 'folder') throw cannotWrite(name, 'it is a folder');
    if (kind !== 'device') await access(dirname(path), constants.W_OK);
    const put = kind === 'device' ? writeFile : replaceFile;
    return { write: (value) => guarded(name, () => put(path, `${JSON.stringify(value, null, 2)}\n`)) };
  });
}

async function followLinks(path: string): Promise<string> {
  return realpath(path).catch(() => path);
}

async function kindOf(path: string): Promise<'file' | 'folder' | 'device' | 'nothing'> {
  const found = await stat(path).catch(() => null);
  if (found === null) return 'nothing';
  if (found.isDirectory()) return 'folder';
  return found.isFile() ? 'file' : 'device';
}

async function replaceFile(path: string, text: string): Promise<void> {
  // Beside its target, because a rename does not cross file systems.
  const draft = join(dirname(path), `.${basename(path)}.${process.pid}.tmp`);
  try {
    await writeFile(draft, text, { flag: 'wx' });
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
}

async function guarded<T>(name: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const reason = describeSystemError(error);
    if (reason === null || error instanceof EpckitError) throw error;
    throw cannotWrite(name, reason, error);
  }
}

function cannotWrite(name: string, reason: string, cause?: unknown): EpckitError {
  return new EpckitError('EPCKIT_OUTPUT_FILE', `${name} cannot be written: ${reason}.`, [], {
    hint: 'Give a file in an existing folder that you may write to.',
    cause,
  });
}
