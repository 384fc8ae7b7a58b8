import type { ErrnoResult, Routine, Thread } from '@epckit/interface';
import { CgroupErrno } from './errno.js';
import type { CgroupFile, FilePlace } from './file.js';
import type { CgroupTree } from './tree.js';

/** A file that was opened; it can outlive its directory. */
export interface OpenFile extends FilePlace {
  /** Which file it is. */
  readonly file: CgroupFile;
}

/** Files of the tree, by path or opened. Texts are what Linux prints and takes, to the byte. */
export class CgroupFiles {
  readonly #tree: CgroupTree;

  /** @internal */
  constructor(tree: CgroupTree) {
    this.#tree = tree;
  }

  /** open, without creating. Plain: announced by `names.reading` of the tree. @returns file; `-ENOENT`; `-ENOTDIR`; `-EISDIR`; `-EACCES` (read-only) */
  open(path: string, forWriting: boolean): OpenFile | ErrnoResult {
    const found = this.#tree.file(path);
    if (typeof found === 'number') return found;
    if (forWriting && found.file.write === undefined) return -CgroupErrno.EACCES;
    return found;
  }

  /** Content of a file. @returns text or negated errno, see {@link open} */
  *read(thread: Thread, path: string): Routine<string | ErrnoResult> {
    yield* this.#tree.lookAtNames(thread);
    const file = this.open(path, false);
    return typeof file === 'number' ? file : yield* this.readOpen(thread, file);
  }

  /**
   * Writes a text in one go.
   *
   * @returns bytes written, or negated errno: {@link open}, or what the file answers
   */
  *write(thread: Thread, path: string, text: string): Routine<number> {
    yield* this.#tree.lookAtNames(thread);
    const file = this.open(path, true);
    return typeof file === 'number' ? file : yield* this.writeOpen(thread, file, text);
  }

  /** Content of an open file. @returns text, or `-ENODEV`: its directory or group is gone */
  *readOpen(thread: Thread, file: OpenFile): Routine<string | ErrnoResult> {
    yield* this.#tree.lookAtNames(thread);
    if (this.#isGone(file)) return -CgroupErrno.ENODEV;
    return yield* file.file.show(this.#tree, file, thread);
  }

  /** Writes to an open file. @returns bytes written, `-ENODEV`, `-EACCES`, or what the file answers */
  *writeOpen(thread: Thread, file: OpenFile, text: string): Routine<number> {
    if (file.file.write === undefined) return -CgroupErrno.EACCES;
    yield* this.#tree.lookAtNames(thread);
    if (this.#isGone(file)) return -CgroupErrno.ENODEV;
    return yield* file.file.write(this.#tree, file, thread, text);
  }

  /** Content of a file outside any routine: reports and invariants only. @returns text or negated errno */
  peek(path: string): string | ErrnoResult {
    const file = this.open(path, false);
    if (typeof file === 'number') return file;
    // Without a thread there are no points, so the first step is the last.
    return file.file.show(this.#tree, file, null).next().value as string;
  }

  #isGone({ directory, group }: OpenFile): boolean {
    return directory.isRemoved || directory.group !== group;
  }
}
