/** Which way the argument of an ioctl goes, seen from user space (Linux `_IOC_NONE`, `_IOC_WRITE`, `_IOC_READ`). */
export const IoctlDirection = {
  /** no argument */
  NONE: 0,
  /** the kernel reads it */
  WRITE: 1,
  /** the kernel fills it */
  READ: 2,
  /** the kernel reads it and writes results back */
  READ_WRITE: 3,
} as const;
/** Value of {@link IoctlDirection}. */
export type IoctlDirectionId = (typeof IoctlDirection)[keyof typeof IoctlDirection];

/** What the number of an ioctl is made of. */
export interface IoctlNumber {
  /** Way of the argument. */
  readonly direction: IoctlDirectionId;
  /** Size of the argument, below 2^14. */
  readonly sizeBytes: number;
  /** Device family (Linux `SGX_MAGIC` is 0xA4), below 2^8. */
  readonly magic: number;
  /** Number in the family, below 2^8. */
  readonly nr: number;
}

const SIZE_SHIFT = 16;
const MAGIC_SHIFT = 8;
const DIRECTION_SHIFT = 30;
const SIZE_MASK = 0x3fff;
const BYTE_MASK = 0xff;

/** Number of an ioctl on x86 (Linux `_IOC`): direction in bits 31:30, size 29:16, magic 15:8, nr 7:0. */
export function encodeIoctlNumber({ direction, sizeBytes, magic, nr }: IoctlNumber): number {
  const high = (direction << DIRECTION_SHIFT) | ((sizeBytes & SIZE_MASK) << SIZE_SHIFT);
  return (high | ((magic & BYTE_MASK) << MAGIC_SHIFT) | (nr & BYTE_MASK)) >>> 0;
}

/** What a 32-bit ioctl number is made of. */
export function decodeIoctlNumber(command: number): IoctlNumber {
  return {
    direction: (command >>> DIRECTION_SHIFT) as IoctlDirectionId,
    sizeBytes: (command >>> SIZE_SHIFT) & SIZE_MASK,
    magic: (command >>> MAGIC_SHIFT) & BYTE_MASK,
    nr: command & BYTE_MASK,
  };
}
