import { defineConfig } from 'tsup';

/**
 * The one way packages are built: ESM with declarations and source maps.
 *
 * @param entries - names of the files in `src` that become entry points, without extension;
 *   `bin` gets no declarations, because nobody imports it
 */
export function preset(entries: readonly string[] = ['index']) {
  const files = (names: readonly string[]) => names.map((name) => `src/${name}.ts`);
  return defineConfig({
    entry: files(entries),
    format: 'esm',
    platform: 'node',
    target: 'es2023',
    clean: true,
    sourcemap: true,
    dts: {
      entry: files(entries.filter((name) => name !== 'bin')),
      // tsup sets baseUrl for the declaration step, which TypeScript 6 reports as TS5101.
      compilerOptions: { ignoreDeprecations: '6.0' },
    },
  });
}
