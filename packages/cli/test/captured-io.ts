import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { type Engine, facade, main } from '../src/index.js';

/** What a call of the command left behind. */
export interface Outcome {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CallOptions {
  /** Working directory; the system's temporary folder unless given. */
  readonly cwd?: string;
  /** Is the error stream a terminal? */
  readonly isTTY?: boolean;
  /** Width of both streams; 120 unless given. */
  readonly columns?: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly engine?: Engine;
}

/** Calls the command with captured streams. */
export async function call(argv: readonly string[], options: CallOptions = {}): Promise<Outcome> {
  const out: string[] = [];
  const err: string[] = [];
  const io = {
    stdout: { write: (text: string) => void out.push(text), columns: options.columns ?? 120 },
    stderr: {
      write: (text: string) => void err.push(text),
      columns: options.columns ?? 120,
      isTTY: options.isTTY,
    },
    cwd: options.cwd ?? tmpdir(),
    env: options.env ?? {},
  };
  const exitCode = await main(argv, io, options.engine ?? facade);
  return { exitCode, stdout: out.join(''), stderr: err.join('') };
}

/** Makes a folder that is removed after the test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'epckit-cli-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
