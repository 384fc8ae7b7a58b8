import type { InitToken, Routine, SecsSource, SigStruct, Thread } from '@epckit/interface';
import { Errno } from '@epckit/interface';
import type { VepcAddress } from '../address.js';
import type { KvmLeaves, Trap } from '../kvm-leaves.js';
import { hasSgx2 } from './host.js';
import type { EnclsOutcome, FaultModels } from './outcome.js';
import { DONE, EMULATION_FAILED, inject, injectTrap, Vector } from './outcome.js';
import { refusedSecs } from './secs-policy.js';
import type { KvmVcpu } from './vcpu.js';

/** What KVM executes leaves of guests with. */
export interface VirtualLeavesParts {
  /** Executes ECREATE and EINIT on host addresses. */
  readonly leaves: Pick<KvmLeaves, 'ecreate' | 'einit'>;
  /**
   * Makes a page of the VMM present, as the page-fault handler does when the leaf touches it.
   *
   * @returns whether it is there; if not the host address is bad
   */
  faultIn(thread: Thread, address: VepcAddress): Routine<boolean>;
  /**
   * Has the guest paid for a leaf when it began it, before it was intercepted? Default: false. A leaf that is repeated
   * because a page was missing is paid for once in either case.
   */
  readonly isPaidByGuest?: boolean;
}

/** Tries after which an address counts as bad: the page is there after each, and is taken away again. */
const MAX_FAULTS = 100;

/**
 * ECREATE and EINIT in the name of a guest, once their operands have been found: the checks that a guest cannot make
 * for itself, the leaf in the host, and what the guest is shown of it.
 */
export class VirtualLeaves {
  /** What leaves are executed with. */
  protected readonly parts: VirtualLeavesParts;

  constructor(parts: VirtualLeavesParts) {
    this.parts = parts;
  }

  /**
   * ECREATE with a source SECS that was copied out of the guest before, so that it cannot change any more (V-09).
   *
   * @param guestAddress linear address of the SECS in the guest
   */
  *ecreate(
    thread: Thread,
    vcpu: KvmVcpu,
    secs: VepcAddress,
    source: SecsSource,
    guestAddress: bigint,
  ): Routine<EnclsOutcome> {
    const refusal = this.refusal(vcpu, source);
    if (refusal !== null) return refusal;
    const trap: Trap = { vector: 0 };
    for (let faults = 0; ; faults++) {
      const argument = { secs, source, isPaid: this.isPaid(faults) };
      const result = yield* this.parts.leaves.ecreate(thread, argument, trap);
      if (result === 0) return DONE;
      if (result !== -Errno.EFAULT) return EMULATION_FAILED;
      if (!(yield* this.isMissing(thread, secs, trap, faults))) break;
    }
    return injectTrap(trap, faultModels(vcpu), guestAddress);
  }

  /** How ECREATE ends before the host executes it: CPUID is missing, or the enclave is forbidden. Null: it is not. */
  refusal({ cpuid, vm }: KvmVcpu, source: SecsSource): EnclsOutcome | null {
    const { sgxLeaf0, sgxLeaf1 } = cpuid;
    if (sgxLeaf0 === null || sgxLeaf1 === null) return EMULATION_FAILED;
    const { isProvisioningAllowed } = vm;
    const { supportedXcr0 } = vm.host;
    const rule = refusedSecs(source, { sgxLeaf0, sgxLeaf1, supportedXcr0, isProvisioningAllowed });
    return rule === null ? null : inject(Vector.GP);
  }

  /** EINIT with the hash MSRs of the virtual CPU. `guestAddress`: linear address of the SECS in the guest. */
  *einit(
    thread: Thread,
    vcpu: KvmVcpu,
    secs: VepcAddress,
    signature: SigStruct,
    token: InitToken | undefined,
    guestAddress: bigint,
  ): Routine<EnclsOutcome> {
    const { launchKeyHash } = vcpu;
    const given = { secs, signature, launchKeyHash, ...(token === undefined ? {} : { token }) };
    const trap: Trap = { vector: 0 };
    for (let faults = 0; ; faults++) {
      const argument = { ...given, isPaid: this.isPaid(faults) };
      const result = yield* this.parts.leaves.einit(thread, argument, trap);
      if (result >= 0) return { kind: 'skip', rax: result };
      if (result !== -Errno.EFAULT) return EMULATION_FAILED;
      if (!(yield* this.isMissing(thread, secs, trap, faults))) break;
    }
    return injectTrap(trap, faultModels(vcpu), guestAddress);
  }

  /** Has the leaf been paid for when it is tried after so many faults? */
  protected isPaid(faults: number): boolean {
    return this.parts.isPaidByGuest === true || faults > 0;
  }

  /** The leaf has faulted. Was it for want of a page of the VMM, which is there now? Then it is repeated. */
  protected *isMissing(thread: Thread, secs: VepcAddress, trap: Trap, faults: number): Routine<boolean> {
    if (faults === MAX_FAULTS || isMapped(secs)) return false;
    if (yield* this.parts.faultIn(thread, secs)) return true;
    trap.vector = Vector.PF;
    return false;
  }
}

/** Is an entry present? Nothing is accessed. */
function isMapped({ mm, vepc, page }: VepcAddress): boolean {
  return (mm.table(vepc.id)?.pte[page] ?? 0) !== 0;
}

/** How faults look on the processor and to the virtual CPU. */
export function faultModels(vcpu: KvmVcpu): FaultModels {
  return { hostHasSgx2: hasSgx2(vcpu.vm.host), guestHasSgx2: vcpu.hasSgx2 };
}
