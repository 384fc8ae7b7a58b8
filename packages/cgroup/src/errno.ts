import { Errno } from '@epckit/interface';

/**
 * `Errno` of `@epckit/interface` and the further values that cgroup files and directories return (uapi
 * `asm-generic/errno*.h`). Results are negated, as everywhere.
 */
export const CgroupErrno = {
  ...Errno,
  /** no such process */
  ESRCH: 3,
  /** a part of the path is a file */
  ENOTDIR: 20,
  /** it is a directory */
  EISDIR: 21,
  /** the number does not fit into 64 bits */
  ERANGE: 34,
  /** a name has more than 255 bytes */
  ENAMETOOLONG: 36,
} as const;
