import type { Routine, Thread } from '@epckit/interface';
import type { Directory } from './directory.js';
import type { MiscGroup } from './group.js';
import type { CgroupTree } from './tree.js';

/** Where a file is. */
export interface FilePlace {
  /** Directory. */
  readonly directory: Directory;
  /** Group that the directory had when the file was opened; files of the controller exist only with one. */
  readonly group: MiscGroup | null;
}

/** A file that directories have (Linux `struct cftype`). */
export interface CgroupFile {
  /** Name, such as `misc.max`. */
  readonly name: string;
  /** Does the root have it? */
  readonly isOnRoot: boolean;
  /** Do the other directories have it? */
  readonly isOnOthers: boolean;
  /** Content. Without a thread it is read for a report: no points, nothing announced. */
  show(tree: CgroupTree, place: FilePlace, thread: Thread | null): Routine<string>;
  /** Takes what is written, as one buffer. Missing: read-only. @returns bytes taken or negated errno */
  readonly write?: (tree: CgroupTree, place: FilePlace, thread: Thread, text: string) => Routine<number>;
}

/** Bytes of a text in a buffer: what a successful write returns. */
export function byteLength(text: string): number {
  return new TextEncoder().encode(text).length;
}
