/** Checks the packed tarball of every public package with publint and are-the-types-wrong. */
import { packAll, run, withTemporaryFolder } from './pack.mjs';

await withTemporaryFolder((folder) => {
  for (const { tarball } of packAll(folder)) {
    run('publint', ['run', tarball, '--strict']);
    run('attw', [
      tarball,
      '--profile',
      'esm-only',
      '--no-definitely-typed',
      '--format',
      'ascii',
      '--no-summary',
    ]);
  }
});
