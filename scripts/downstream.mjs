/**
 * Uses the packages as a stranger would: packs them, installs the tarballs with npm in an empty project
 * outside of the workspace, compiles and runs a stack of single packages there, and calls the command.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { packAll, run, withTemporaryFolder } from './pack.mjs';

const workspace = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));

// npm warns about the settings that pnpm hands down in the environment.
process.env.npm_config_loglevel = 'error';

await withTemporaryFolder((folder) => {
  const packages = packAll(folder);
  const project = join(folder, 'project');
  createProject(project, packages);
  run('npm', ['install', '--no-audit', '--no-fund'], { cwd: project });
  runCustomStack(project);
  runCommand(project, packages.find(({ name }) => name === '@epckit/cli').version);
});

/** Writes an npm project in which the name of each of our packages means its tarball, at any depth. */
function createProject(project, packages) {
  const tarballs = Object.fromEntries(packages.map(({ name, tarball }) => [name, `file:${tarball}`]));
  const { typescript, '@types/node': nodeTypes } = workspace.devDependencies;
  const manifest = {
    private: true,
    type: 'module',
    dependencies: tarballs,
    devDependencies: { typescript, '@types/node': nodeTypes },
    overrides: Object.fromEntries(packages.map(({ name }) => [name, `$${name}`])),
  };
  const tsconfig = {
    compilerOptions: {
      module: 'NodeNext',
      target: 'ES2023',
      lib: ['ES2023'],
      types: ['node'],
      strict: true,
      outDir: 'out',
    },
    files: ['custom-stack.ts'],
  };
  mkdirSync(project);
  writeFileSync(join(project, 'package.json'), JSON.stringify(manifest, null, 2));
  writeFileSync(join(project, 'tsconfig.json'), JSON.stringify(tsconfig, null, 2));
}

/** Type-checks, compiles and runs a stack that is composed of single packages, without the facade. */
function runCustomStack(project) {
  copyFileSync(new URL('downstream/custom-stack.ts', import.meta.url), join(project, 'custom-stack.ts'));
  run('npx', ['--no-install', 'tsc'], { cwd: project });
  run(process.execPath, ['out/custom-stack.js'], { cwd: project });
}

/** Calls the installed command as `npx epckit`: its version, and a scenario on the trace that a package ships. */
function runCommand(project, version) {
  const epckit = (...args) =>
    execFileSync('npx', ['--no-install', 'epckit', ...args], { cwd: project, encoding: 'utf8' });
  assert.equal(epckit('--version').trim(), version);
  console.log(`epckit --version: ${version}`);
  copyFileSync(new URL('downstream/sample.yaml', import.meta.url), join(project, 'sample.yaml'));
  console.log(epckit('run', 'sample.yaml', '--json', 'report.json'));
  const report = JSON.parse(readFileSync(join(project, 'report.json'), 'utf8'));
  assert.ok(
    report.total.ewb > 0 && report.total.eldu > 0,
    'the sample does not fit into the EPC, so pages must move',
  );
}
