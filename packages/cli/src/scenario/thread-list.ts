import { formatPath, type KeyPath } from './key-path.js';
import type { Problem } from './problem.js';

/**
 * A list of threads says for each what the enclave would say for all.
 *
 * @param enclave - has a list of threads
 * @param path - of the enclave
 * @param keys - keys of the enclave that exclude a list, with the key of a thread that says the same
 */
export function checkThreadList(
  enclave: Readonly<Record<string, unknown>>,
  path: KeyPath,
  keys: Readonly<Record<string, string>>,
): Problem[] {
  const name = formatPath(path);
  return Object.entries(keys).flatMap(([key, own]): Problem[] => {
    if (enclave[key] === undefined) return [];
    const message = `${name}.${key} and a list of ${name}.threads exclude each other.`;
    const hint = `Give ${own} to each thread, or threads as a number.`;
    return [{ path: [...path, key], at: 'key', message, hint }];
  });
}
