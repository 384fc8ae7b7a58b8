import type { EpcmEntry } from '@epckit/interface';
import { PageType, Prot, SecInfo } from '@epckit/interface';
import type { Records } from './records.js';

/**
 * What is wrong with a resident page that dynamic memory has made or changed, in words; empty if nothing is.
 *
 * A page that waits for its first acceptance was added at run time: REG, and every right allowed. One that waits
 * for a new type has it in the records already. A TCS may be mapped readable and writable, whatever it was before.
 */
export function checkChanges(records: Records, index: number, entry: EpcmEntry): string[] {
  const problems: string[] = [];
  const type = records.type(index);
  const ceiling = records.ceiling(index);
  const isPending = (entry.flags & SecInfo.PENDING) !== 0;
  const isModified = (entry.flags & SecInfo.MODIFIED) !== 0;
  if (isPending && (type !== PageType.REG || ceiling !== (Prot.R | Prot.W | Prot.X))) {
    problems.push(`page ${index} waits as a new page and has type ${type} and ceiling ${ceiling}.`);
  }
  if (isModified && type !== PageType.TCS && type !== PageType.TRIM) {
    problems.push(`page ${index} waits for a new type and has type ${type}.`);
  }
  if (type === PageType.TCS && ceiling !== (Prot.R | Prot.W)) {
    problems.push(`page ${index} is a TCS with ceiling ${ceiling}.`);
  }
  return problems;
}
