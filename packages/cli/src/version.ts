import { readFileSync } from 'node:fs';

// One folder up from src and from dist alike.
const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  readonly version: string;
};

/** Version of this package. */
export const cliVersion = manifest.version;
