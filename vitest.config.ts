import { defineConfig } from 'vitest/config';

// Where the results are also written as JSON; unset outside of CI.
const resultsFile = process.env['EPCKIT_TEST_RESULTS'];

export default defineConfig({
  // Packages are tested from their sources: no build before a test.
  ssr: { resolve: { conditions: ['@epckit/source', 'module', 'node', 'development|production'] } },
  test: {
    testTimeout: 60_000,
    hookTimeout: 60_000,
    include: ['**/test/**/*.test.ts'],
    exclude: ['**/node_modules/**', '**/dist/**'],
    coverage: { include: ['packages/*/src/**'] },
    reporters: resultsFile ? ['default', ['json', { outputFile: resultsFile }]] : ['default'],
  },
});
