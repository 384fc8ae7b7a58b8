import { errnoNames, MisuseError, Prot } from '@epckit/interface';

/** `0` or the name of an errno. */
export function errnoWord(result: number): number | string {
  return result === 0 ? 0 : (errnoNames[-result] ?? `errno ${-result}`);
}

/** `"rwx"` as bits; `"-"` is none. @throws MisuseError for other letters */
export function protOf(letters: string): number {
  if (!/^(-|r?w?x?)$/.test(letters)) {
    throw new MisuseError(`'${letters}' is no protection.`, [
      'allowed: letters of "rwx" in this order, or "-"',
    ]);
  }
  let prot = 0;
  if (letters.includes('r')) prot |= Prot.R;
  if (letters.includes('w')) prot |= Prot.W;
  if (letters.includes('x')) prot |= Prot.X;
  return prot;
}
