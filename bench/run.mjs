/** Runs the bundled benches one after the other; arguments select those whose file name contains one. */
import { readdirSync } from 'node:fs';

const wanted = process.argv.slice(2);
const folder = new URL('dist/', import.meta.url);
const files = readdirSync(folder).filter((file) => file.endsWith('.bench.js'));

for (const file of files.sort()) {
  if (wanted.length === 0 || wanted.some((part) => file.includes(part)))
    await import(new URL(file, folder).href);
}
