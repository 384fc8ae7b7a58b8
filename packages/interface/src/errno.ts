/**
 * Linux errno values that the EPC manager returns (uapi `asm-generic/errno*.h`).
 *
 * Functions return them negated, as the kernel does: `-Errno.EBUSY`.
 */
export const Errno = {
  /** operation not permitted: EINIT refused the enclave */
  EPERM: 1,
  /** no such entry */
  ENOENT: 2,
  /** interrupted by a signal */
  EINTR: 4,
  /** a leaf failed */
  EIO: 5,
  /** no such page */
  ENXIO: 6,
  /** try again: a page is being reclaimed */
  EAGAIN: 11,
  /** nothing is free and nothing can be reclaimed, or a limit forbids it */
  ENOMEM: 12,
  /** the rights are not sufficient */
  EACCES: 13,
  /** bad address, or the page cannot be loaded */
  EFAULT: 14,
  /** EPC must be reclaimed first, or a reclaimer holds the page */
  EBUSY: 16,
  /** it exists already */
  EEXIST: 17,
  /** no such device */
  ENODEV: 19,
  /** invalid argument or state */
  EINVAL: 22,
  /** unknown ioctl */
  ENOTTY: 25,
  /** no room left */
  ENOSPC: 28,
  /** a signal is pending: the kernel restarts the system call */
  ERESTARTSYS: 512,
  /** ioctl that the kernel answers with ENOTTY */
  ENOIOCTLCMD: 515,
} as const;
/** Name of an errno, such as `'EBUSY'`. */
export type ErrnoName = keyof typeof Errno;
/** Zero, or a negated {@link Errno} value. */
export type ErrnoResult = number;

/** Reverse look-up: `errnoNames[16] === 'EBUSY'`; index by the positive value. */
export const errnoNames: Readonly<Record<number, ErrnoName>> = Object.freeze(
  Object.fromEntries(Object.entries(Errno).map(([name, value]) => [value, name])) as Record<
    number,
    ErrnoName
  >,
);
