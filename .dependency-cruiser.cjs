const { readdirSync, readFileSync } = require('node:fs');
const { join } = require('node:path');

/** The floors of ARCHITECTURE.md; a package's `src` imports only from floors below its own. */
const floors = [
  ['interface'],
  ['machine', 'frames', 'hardware', 'mm'],
  ['numa', 'reclaim', 'paging', 'cgroup'],
  ['enclave', 'vepc'],
  ['guest', 'trace', 'explore', 'conformance'],
  ['epckit'],
  ['cli'],
];

/** Floors 2 and 3 meet only at run time, through `interface`: floor 3 sees floors 0 and 1. */
const visibleFloors = (floor) => floors.slice(0, floor === 3 ? 2 : floor).flat();

const sourceOf = (folder) => `^packages/${folder}/src/`;
const anyOf = (folders) => `^packages/(?:${folders.join('|')})/`;

const floorRules = floors.flatMap((folders, floor) =>
  folders.map((folder) => ({
    name: `floor-${floor}-${folder}`,
    comment: `${folder} stands on floor ${floor} and may import: ${visibleFloors(floor).join(', ') || 'nothing'}`,
    severity: 'error',
    from: { path: sourceOf(folder) },
    to: { path: '^packages/', pathNot: anyOf([folder, ...visibleFloors(floor)]) },
  })),
);

const declaredRules = readdirSync(join(__dirname, 'packages')).map((folder) => {
  const manifest = JSON.parse(readFileSync(join(__dirname, 'packages', folder, 'package.json'), 'utf8'));
  const declared = Object.keys(manifest.dependencies ?? {}).map((name) => name.replace('@epckit/', ''));
  return {
    name: `declared-${folder}`,
    comment: `${folder} imports a package that is not in the dependencies of its package.json`,
    severity: 'error',
    from: { path: sourceOf(folder) },
    to: { path: '^packages/', pathNot: anyOf([folder, ...declared]) },
  };
});

module.exports = {
  forbidden: [
    ...floorRules,
    ...declaredRules,
    {
      name: 'known-package',
      comment: 'a new package needs a floor in .dependency-cruiser.cjs',
      severity: 'error',
      from: { path: '^packages/', pathNot: anyOf(floors.flat()) },
      to: {},
    },
    {
      name: 'declared-library',
      comment: "an npm library must be in the `dependencies` of the package's own package.json",
      severity: 'error',
      from: { path: '^packages/[^/]+/src/' },
      to: { dependencyTypes: ['npm-dev', 'npm-optional', 'npm-peer', 'npm-no-pkg', 'npm-unknown'] },
    },
    {
      name: 'resolvable',
      comment: 'an import that leads nowhere; this also keeps the other rules honest',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'no-circular',
      comment: 'modules that import values from each other; a circle of types only is fine',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules|/dist/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: join(__dirname, 'tsconfig.base.json') },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['@epckit/source', 'types', 'import', 'node', 'default'],
    },
  },
};
