import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readFile, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { EpckitError } from '@epckit/interface';
import { packageVersions, type RunReport } from 'epckit';
import { describeSystemError } from '../input-file.js';
import { replaceFile } from '../output-file.js';
import { cliVersion } from '../version.js';
import type { RunJob } from './run-job.js';
import type { Assignment } from './vary.js';

const FORMAT = 'epckit-compare-result-1';

/** Everything that a result depends on, as plain data. */
export interface ResultKey {
  /** Versions of the packages. */
  readonly versions: Readonly<Record<string, string>>;
  /** Hash of the scenario with every default spelled out. */
  readonly scenario: string;
  /** Values of the varied keys. */
  readonly combination: readonly { readonly name: string; readonly value: unknown }[];
  /** Seed of the run. */
  readonly seed: number;
  /** Hash of the content of each trace file, or of the settings of each generator. */
  readonly traces: Readonly<Record<string, string>>;
}

/** A folder of finished runs, one file each. */
export interface ResultFolder {
  /** Returns the report of a run that is finished already, or null. */
  read(key: ResultKey): Promise<RunReport | null>;
  /** Keeps the report of a run: the file is there as a whole or not at all. */
  write(key: ResultKey, report: RunReport): Promise<void>;
}

/**
 * Opens a folder of results and makes it if needed.
 *
 * @param name - as the user gave it
 * @throws EpckitError `EPCKIT_OUTPUT_FILE`
 */
export async function openResultFolder(name: string, cwd: string): Promise<ResultFolder> {
  const folder = resolve(cwd, name);
  await guarded(name, async () => {
    const found = await stat(folder).catch(() => null);
    if (found === null) await mkdir(folder);
    else if (!found.isDirectory()) throw cannotUse(name, 'it is not a folder');
  });
  const pathOf = (key: ResultKey) => join(folder, `run-${hashOf(JSON.stringify(key)).slice(0, 24)}.json`);
  return {
    async read(key) {
      const path = pathOf(key);
      const text = await guarded(name, () => readIfThere(path));
      if (text === null) return null;
      const result = parseResult(text, key);
      if (typeof result !== 'string') return result;
      const message = `${join(name, basename(path))} is not a result of this comparison: ${result}.`;
      const hint = 'It is neither read nor overwritten: remove it, or give another --out.';
      throw new EpckitError('EPCKIT_OUTPUT_FILE', message, [], { hint });
    },
    async write(key, report) {
      const body = JSON.stringify(report);
      const head = JSON.stringify({ format: FORMAT, key, sha256: hashOf(body) });
      await guarded(name, () => replaceFile(pathOf(key), `${head.slice(0, -1)},"report":${body}}\n`));
    },
  };
}

/** The report in a file, or what is wrong with the file. */
function parseResult(text: string, key: ResultKey): RunReport | string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return 'it is no JSON, or cut off';
  }
  if (typeof value !== 'object' || value === null) return 'it is no result';
  const result = value as Readonly<Record<string, unknown>>;
  if (result['format'] !== FORMAT) return `its format is not ${FORMAT}`;
  if (JSON.stringify(result['key']) !== JSON.stringify(key)) return 'it belongs to another run';
  if (result['sha256'] !== hashOf(JSON.stringify(result['report']) ?? '')) return 'its report was changed';
  return result['report'] as RunReport;
}

/** Makes the key of a run. */
export function resultKeyOf(
  job: RunJob,
  assignments: readonly Assignment[],
  traceHashes: ReadonlyMap<string, string>,
): ResultKey {
  const traces = job.sources.map((source): [string, string] => [
    source.name,
    'file' in source ? (traceHashes.get(source.file) as string) : hashOf(JSON.stringify(source.generator)),
  ]);
  return {
    versions: { '@epckit/cli': cliVersion, ...packageVersions() },
    scenario: hashOf(JSON.stringify(job.scenario)),
    combination: assignments.map(({ name, value }) => ({ name, value })),
    seed: job.scenario.seed,
    traces: Object.fromEntries(traces),
  };
}

/** SHA-256 of the content of files, by path. */
export async function hashFiles(paths: Iterable<string>): Promise<ReadonlyMap<string, string>> {
  const hashes = new Map<string, string>();
  for (const path of new Set(paths)) {
    const hash = createHash('sha256');
    await pipeline(createReadStream(path), hash);
    hashes.set(path, hash.digest('hex'));
  }
  return hashes;
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

async function readIfThere(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

async function guarded<T>(name: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const reason = describeSystemError(error);
    if (reason === null || error instanceof EpckitError) throw error;
    throw cannotUse(name, reason, error);
  }
}

function cannotUse(name: string, reason: string, cause?: unknown): EpckitError {
  return new EpckitError('EPCKIT_OUTPUT_FILE', `--out ${name} cannot be used: ${reason}.`, [], {
    hint: 'Give a folder that you may write to, or a new one in an existing folder.',
    cause,
  });
}
