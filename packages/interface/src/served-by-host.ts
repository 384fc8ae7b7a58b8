import { InvariantViolation } from './errors.js';
import type { SgxHardware } from './hardware.js';
import type { Routine, Thread } from './routine.js';

/**
 * Lets the host act on an exit. The idiom around every leaf, which costs one comparison natively:
 *
 *     do result = hardware.eblock(thread.cpu, page);
 *     while (isExit(result) && (yield* servedByHost(hardware, thread)));
 *
 * @returns true: repeat the leaf
 * @throws InvariantViolation if the hardware is native, which never exits
 */
export function* servedByHost(hardware: Pick<SgxHardware, 'serve'>, thread: Thread): Routine<true> {
  if (hardware.serve === undefined) {
    throw new InvariantViolation(`A leaf of ${thread.name} has left a guest that is none.`);
  }
  yield* hardware.serve(thread);
  return true;
}
