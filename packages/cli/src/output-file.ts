import { randomUUID } from 'node:crypto';
import { closeSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { access, constants, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { EpckitError } from '@epckit/interface';
import { describeSystemError } from './input-file.js';

/** A file that a result goes to, checked before the work starts. */
export interface OutputFile {
  /** Where it is, links followed. */
  readonly path: string;
  /** Puts `text` into the file, as a whole or not at all. */
  write(text: string): Promise<void>;
  /** Puts JSON into the file, as a whole or not at all. */
  writeJson(value: unknown): Promise<void>;
  /** Starts to write piece by piece. The file is replaced at the end only. */
  stream(): OutputStream;
}

/** A file that is written piece by piece while a simulation runs, in one long synchronous call. */
export interface OutputStream {
  /** Appends `text`. */
  write(text: string): void;
  /** Everything is written: the file takes the place of a former one. */
  end(): void;
  /** Drops what was written; a former file stays. Nothing happens after {@link end}. */
  discard(): void;
}

/** Characters that are collected before they are written. */
const CHUNK_LENGTH = 1 << 16;

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
export async function openOutputFile(
  name: string,
  cwd: string,
  inputs: readonly string[] = [],
): Promise<OutputFile> {
  return guarded(name, async () => {
    const path = await followLinks(resolve(cwd, name));
    const sources = await Promise.all(inputs.map(followLinks));
    if (sources.includes(path)) throw cannotWrite(name, 'it is read by this run');
    const kind = await kindOf(path);
    if (kind === 'folder') throw cannotWrite(name, 'it is a folder');
    if (kind !== 'device') await access(dirname(path), constants.W_OK);
    const put = kind === 'device' ? writeFile : replaceFile;
    const write = (text: string) => guarded(name, () => put(path, text));
    return {
      path,
      write,
      writeJson: (value) => write(`${JSON.stringify(value, null, 2)}\n`),
      stream: () => openStream(name, path, kind === 'device'),
    };
  });
}

/** Refuses two results in one file. @throws EpckitError `EPCKIT_OUTPUT_FILE` */
export function requireDifferentFiles(files: readonly (OutputFile | null)[]): void {
  // A device such as /dev/null takes any number of results.
  const paths = files.flatMap((file) => (file === null || file.path.startsWith('/dev/') ? [] : [file.path]));
  const twice = paths.find((path, index) => paths.indexOf(path) !== index);
  if (twice !== undefined) throw cannotWrite(basename(twice), 'two results would go to it');
}

/** Replaces a file as a whole. */
export async function replaceFile(path: string, text: string): Promise<void> {
  const draft = draftOf(path);
  try {
    await writeFile(draft, text, { flag: 'wx' });
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
}

/** Beside its target, because a rename does not cross file systems. */
function draftOf(path: string): string {
  return join(dirname(path), `.${basename(path)}.${randomUUID()}.tmp`);
}

function openStream(name: string, path: string, isDevice: boolean): OutputStream {
  const draft = isDevice ? path : draftOf(path);
  const file = guardedNow(name, () => openSync(draft, isDevice ? 'w' : 'wx'));
  let isOpen = true;
  let waiting = '';
  const flush = () => {
    guardedNow(name, () => writeSync(file, waiting));
    waiting = '';
  };
  const close = () => {
    isOpen = false;
    closeSync(file);
  };
  return {
    write(text) {
      waiting += text;
      if (waiting.length >= CHUNK_LENGTH) flush();
    },
    end() {
      flush();
      close();
      if (!isDevice) guardedNow(name, () => renameSync(draft, path));
    },
    discard() {
      if (!isOpen) return;
      close();
      if (!isDevice) rmSync(draft, { force: true });
    },
  };
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

async function guarded<T>(name: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw asOutputError(name, error);
  }
}

function guardedNow<T>(name: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw asOutputError(name, error);
  }
}

function asOutputError(name: string, error: unknown): unknown {
  const reason = describeSystemError(error);
  return reason === null || error instanceof EpckitError ? error : cannotWrite(name, reason, error);
}

function cannotWrite(name: string, reason: string, cause?: unknown): EpckitError {
  return new EpckitError('EPCKIT_OUTPUT_FILE', `${name} cannot be written: ${reason}.`, [], {
    hint: 'Give a file in an existing folder that you may write to.',
    cause,
  });
}
