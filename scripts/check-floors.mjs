/**
 * Proves that the rules of .dependency-cruiser.cjs fire: every file of floors-fixture breaks exactly the
 * rules listed here, and the files that are not listed break none. A circle is reported once, where it was
 * entered.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';

const expected = {
  'packages/cli/src/nowhere.ts': ['resolvable'],
  'packages/cli/src/undeclared-library.ts': ['declared-library'],
  'packages/cli/src/undeclared-package.ts': ['declared-cli'],
  'packages/conformance/src/sideways.ts': ['declared-conformance', 'floor-4-conformance'],
  'packages/enclave/src/beside.ts': ['declared-enclave', 'floor-3-enclave'],
  'packages/frames/src/upward.ts': ['declared-frames', 'floor-1-frames'],
  'packages/guest/src/upward.ts': ['declared-guest', 'floor-4-guest'],
  'packages/interface/src/type-only.ts': ['declared-interface', 'floor-0-interface'],
  'packages/numa/src/circle-one.ts': ['no-circular'],
  'packages/surprise/src/index.ts': ['known-package'],
};

const { stdout } = spawnSync(
  'depcruise',
  ['--config', '../../.dependency-cruiser.cjs', '--output-type', 'json', 'packages'],
  { cwd: new URL('floors-fixture', import.meta.url), encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] },
);

const found = {};
for (const { from, rule } of JSON.parse(stdout).summary.violations) {
  found[from] = [...new Set([...(found[from] ?? []), rule.name])].sort();
}
assert.deepEqual(found, expected, 'the floor rules do not report what the fixture breaks');
console.log(`floor rules: ${Object.keys(expected).length} deliberate violations reported`);
