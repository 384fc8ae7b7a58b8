import type { Routine, Thread } from '@epckit/interface';
import { Cost } from '@epckit/interface';
import type { Enclave } from './enclave.js';

/**
 * Runs an ioctl unless another one runs on the same enclave (Linux `SGX_ENCL_IOCTL`). Ioctls exclude each other,
 * but not faults, reclaim or mmap.
 *
 * @param busy result while another ioctl runs
 */
export function* exclusive<T>(thread: Thread, enclave: Enclave, busy: T, ioctl: Routine<T>): Routine<T> {
  if (thread.spend(Cost.STEP) > thread.limit) yield enclave.ioctl.writing;
  if (enclave.ioctl.exchange(thread, 1) !== 0) return busy;
  const result = yield* ioctl;
  if (thread.spend(Cost.STEP) > thread.limit) yield enclave.ioctl.writing;
  enclave.ioctl.write(thread, 0);
  return result;
}
