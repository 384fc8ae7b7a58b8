// Lets a worker run the TypeScript sources: workers do not have the transformations of the test runner.
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

// The compiler behind the build: much faster than that of typescript.
const { transform } = createRequire(createRequire(import.meta.url).resolve('tsup'))('esbuild');

/** `./x.js` of a source file means `./x.ts`; packages of this repository are entered by their sources. */
export async function resolve(specifier, context, next) {
  const isOfSource = context.parentURL?.endsWith('.ts') && specifier.startsWith('.');
  const name = isOfSource ? specifier.replace(/\.js$/, '.ts') : specifier;
  return next(name, { ...context, conditions: [...context.conditions, '@epckit/source'] });
}

/** Drops the types; the sources have nothing else that JavaScript does not know. */
export async function load(url, context, next) {
  if (!url.endsWith('.ts')) return next(url, context);
  const text = await readFile(fileURLToPath(url), 'utf8');
  const { code } = await transform(text, { loader: 'ts', format: 'esm', target: 'es2023' });
  return { format: 'module', source: code, shortCircuit: true };
}
