import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const source = fileURLToPath(new URL('../../src/', import.meta.url));

/** Everything that is imported from a file on, statically or not: the files, and the names of other packages. */
function reach(entry: string): { files: Set<string>; packages: Set<string> } {
  const files = new Set([resolve(source, entry)]);
  const packages = new Set<string>();
  for (const file of files) {
    for (const name of importsOf(readFileSync(file, 'utf8'))) {
      if (name.startsWith('.')) files.add(resolve(dirname(file), name.replace(/\.js$/, '.ts')));
      else packages.add(name);
    }
  }
  return { files, packages };
}

function importsOf(text: string): string[] {
  return [...text.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*'([^']+)'/g)].map((match) => match[1] as string);
}

describe('the main entry', () => {
  const { files, packages } = reach('index.ts');

  it('runs in a browser: it imports nothing but the contracts', () => {
    expect([...packages]).toEqual(['@epckit/interface']);
    expect(files).toContain(resolve(source, 'byte-contents.ts'));
    expect([...files].filter((file) => file.includes('/real/'))).toEqual([]);
  });

  it('uses no global of Node', () => {
    const globals = /(?<![#.\w])(?:Buffer|process|global)\.\w|\bsetImmediate\(/;
    const users = [...files].filter((file) => globals.test(readFileSync(file, 'utf8')));
    expect(users).toEqual([]);
  });
});

describe('the real mode', () => {
  it('is where Node is needed, and shares the files of the main entry', () => {
    const { files, packages } = reach('real/index.ts');
    expect([...packages].sort()).toEqual(['@epckit/interface', 'node:crypto']);
    expect(files).toContain(resolve(source, 'byte-contents.ts'));
  });

  it('finds imports of every form', () => {
    const text =
      "import 'a';\nexport { b } from 'b';\nconst c = await import('c');\nimport {\n  d,\n} from 'd';";
    expect(importsOf(text)).toEqual(['a', 'b', 'c', 'd']);
  });
});
