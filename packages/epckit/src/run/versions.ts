import { createRequire } from 'node:module';

const packages = [
  'enclave',
  'frames',
  'hardware',
  'interface',
  'machine',
  'mm',
  'numa',
  'paging',
  'reclaim',
  'vepc',
];

/** Versions of the packages that a stack is composed of, by name. */
export function packageVersions(): Record<string, string> {
  const require = createRequire(import.meta.url);
  const names = ['epckit', ...packages.map((name) => `@epckit/${name}`)];
  return Object.fromEntries(names.map((name) => [name, versionOf(require(`${name}/package.json`))]));
}

function versionOf(manifest: unknown): string {
  return (manifest as { readonly version: string }).version;
}
