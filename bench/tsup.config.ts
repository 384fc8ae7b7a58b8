import { defineConfig } from 'tsup';

// Benches run from a bundle of the sources: plain imports, as in a published package, and no build before.
export default defineConfig({
  entry: ['src/*.bench.ts'],
  format: 'esm',
  platform: 'node',
  target: 'es2023',
  clean: true,
  noExternal: [/^@epckit\//, 'epckit'],
  esbuildOptions(options) {
    options.conditions = ['@epckit/source'];
  },
});
