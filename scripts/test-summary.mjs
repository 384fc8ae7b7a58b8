/**
 * Prints `N passed, N failed` from the JSON results of vitest, and fails when a test failed or none ran.
 *
 * A test file that could not be loaded counts as one failure, and so does a missing results file.
 */
import { existsSync, readFileSync } from 'node:fs';

const file = process.argv[2];
const results = file && existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined;
const passed = results?.numPassedTests ?? 0;
const failed = results ? countFailures(results) : 1;

console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;

function countFailures({ numFailedTests, success, testResults }) {
  const unloaded = testResults.filter(
    ({ status, assertionResults }) =>
      status === 'failed' && !assertionResults.some((assertion) => assertion.status === 'failed'),
  );
  const counted = numFailedTests + unloaded.length;
  return success ? counted : Math.max(counted, 1);
}
