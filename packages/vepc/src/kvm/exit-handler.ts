import type { LeafId, Probe, Routine, Thread } from '@epckit/interface';
import { Leaf } from '@epckit/interface';
import type { EnclsOutcome } from './outcome.js';
import { inject, Vector } from './outcome.js';
import type { KvmVcpu } from './vcpu.js';

/** Executes the leaves that KVM executes for a guest. */
export interface TrappedLeaves {
  /** ECREATE. */
  ecreate(): Routine<EnclsOutcome>;
  /** EINIT. */
  einit(): Routine<EnclsOutcome>;
}

/**
 * VM exits by ENCLS (exit reason 60; Linux `handle_encls`).
 */
export class EnclsExitHandler {
  readonly #probe: Probe | null;
  #hasWarned = false;

  constructor(probe: Probe | null) {
    this.#probe = probe;
  }

  /** Handles the exit of `leaf`, the number in EAX. The order of the questions is that of the processor (V-12). */
  *handle(thread: Thread, vcpu: KvmVcpu, leaf: number, leaves: TrappedLeaves): Routine<EnclsOutcome> {
    if (!vcpu.vm.host.isSgxEnabled || !vcpu.hasSgx) return inject(Vector.UD);
    if (!isEnumerated(vcpu, leaf) || !vcpu.isSgxEnabled || !vcpu.isPaging) return inject(Vector.GP);
    if (leaf === Leaf.ECREATE) return yield* leaves.ecreate();
    if (leaf === Leaf.EINIT) return yield* leaves.einit();
    if (!this.#hasWarned) this.#probe?.warned(thread.id, 'handle_encls');
    this.#hasWarned = true;
    return { kind: 'userspace', reason: 'unknown' };
  }
}

/**
 * A VM exit from inside an enclave (bit 27 of the exit reason): its instruction cannot be emulated, so the guest gets
 * #UD instead of an exit to user space.
 */
export function emulateInsideEnclave(): EnclsOutcome {
  return inject(Vector.UD);
}

/** Does the guest's CPUID tell of the leaf? */
export function isEnumerated(vcpu: KvmVcpu, leaf: number): leaf is LeafId {
  if (leaf >= Leaf.ECREATE && leaf <= Leaf.ETRACK) return vcpu.hasSgx;
  if (leaf >= Leaf.EAUG && leaf <= Leaf.EMODT) return vcpu.hasSgx && vcpu.hasSgx2;
  return false;
}
