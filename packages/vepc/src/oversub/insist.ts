import type { LeafResult, Routine, Thread } from '@epckit/interface';
import { SgxCode } from '@epckit/interface';
import type { OversubInstance } from './instance.js';
import type { OversubParts } from './parts.js';

/** Interrupts every processor of the VM and waits until each has left the guest. The instance's lock is held. */
export function* expel(thread: Thread, parts: OversubParts, instance: OversubInstance): Routine<void> {
  instance.cpus.clear();
  yield* instance.collectCpus(thread, instance.cpus);
  yield* parts.oversub.ipi.send(thread, instance.cpus);
}

/** A leaf that should not fail: if leaves of the guest are in its way, they are thrown out, and it is tried again. */
export function* insist(
  thread: Thread,
  parts: OversubParts,
  instance: OversubInstance,
  leaf: () => Routine<LeafResult>,
): Routine<LeafResult> {
  const result = yield* leaf();
  if (result !== SgxCode.EPC_PAGE_CONFLICT) return result;
  yield* expel(thread, parts, instance);
  return yield* leaf();
}
