import type { CpuId, LeafResult, PageIndex, Routine, Thread } from '@epckit/interface';
import { Cost, Leaf, LeafFault, NONE, PageOperand } from '@epckit/interface';
import type { EnclsOutcome, KvmVcpu, OversubVm } from '@epckit/vepc';
import {
  CONFLICT_REENTER,
  EnclsExitHandler,
  faultModels,
  inject,
  injectTrap,
  Vector,
  VirtualLeaves,
} from '@epckit/vepc';
import type { EpcBacking } from './epc-backing.js';
import type { ConflictVmExit, EcreateExit, EinitExit, EnclsExit, GuestExit } from './exit.js';
import type { GuestEpc } from './guest-epc.js';
import type { GuestHardware } from './guest-hardware.js';
import type { GuestHost } from './host.js';

/** What the handler of exits works with. */
export interface ExitHandlerParts {
  /** What the virtual machine runs on. */
  readonly host: GuestHost;
  /** Virtual machine, as host reclaim sees it. */
  readonly vm: OversubVm;
  /** Guest-physical EPC. */
  readonly epc: GuestEpc;
  /** Memory of the VMM behind it. */
  readonly backing: EpcBacking;
  /** KVM's state of the virtual CPU on a CPU. */
  vcpuOf(cpu: CpuId): KvmVcpu;
  /** The VMM stops the virtual machine. */
  stop(reason: string): void;
}

/** What the host does about exits of one virtual machine. */
export class ExitHandler {
  /** EPT violations that were handled. */
  violations = 0;
  /** Leaves that the host has executed or refused. */
  trappedLeaves = 0;
  /** Conflict exits. */
  conflicts = 0;
  readonly #parts: ExitHandlerParts;
  readonly #encls: EnclsExitHandler;
  readonly #leaves: VirtualLeaves;

  constructor(parts: ExitHandlerParts) {
    const { host, backing } = parts;
    this.#parts = parts;
    this.#encls = new EnclsExitHandler(host.probe);
    this.#leaves = new VirtualLeaves({
      leaves: host.vepc.kvm,
      faultIn: (thread, address) => backing.faultIn(thread, address),
      isPaidByGuest: true,
    });
  }

  /**
   * Acts on an exit; the virtual machine may be stopped afterwards.
   *
   * @param hardware of the kernel that has left
   * @returns result for the guest, or null: the leaf is repeated
   */
  *handle(thread: Thread, exit: GuestExit, hardware: GuestHardware): Routine<LeafResult | null> {
    thread.spend(Cost.VM_EXIT);
    switch (exit.kind) {
      case 'halted':
        return null;
      case 'ept':
        yield* this.#violation(thread, exit.page);
        return null;
      case 'conflict':
        return yield* this.#conflict(thread, exit);
      default:
        return this.#delivered(yield* this.#trapped(thread, exit, hardware));
    }
  }

  /** EPT violation: the VMM's page is faulted in. If it cannot be, KVM returns EFAULT and the VMM stops. */
  *#violation(thread: Thread, page: PageIndex): Routine<void> {
    this.violations++;
    thread.spend(Cost.EPT_VIOLATION);
    const { backing, epc } = this.#parts;
    if (yield* backing.faultIn(thread, epc.addressOf(page))) return;
    this.#parts.stop('error: kvm run failed Bad address');
  }

  *#conflict(thread: Thread, { result, leaf, page, context }: ConflictVmExit): Routine<LeafResult | null> {
    this.conflicts++;
    const { host, epc, vm } = this.#parts;
    const { oversub } = host.vepc;
    if (oversub === null) return LeafFault.GP;
    const operand = page < 0 ? null : epc.addressOf(page);
    const outcome = yield* oversub.conflicts.handle(thread, vm, { exit: result, leaf, operand, context });
    return outcome === CONFLICT_REENTER ? null : outcome;
  }

  *#trapped(
    thread: Thread,
    exit: EcreateExit | EinitExit | EnclsExit,
    hardware: GuestHardware,
  ): Routine<EnclsOutcome> {
    this.trappedLeaves++;
    const vcpu = this.#parts.vcpuOf(thread.cpu);
    const leaf = { ecreate: Leaf.ECREATE, einit: Leaf.EINIT, encls: NONE }[exit.kind];
    return yield* this.#encls.handle(thread, vcpu, exit.kind === 'encls' ? exit.leaf : leaf, {
      ecreate: () => this.#ecreate(thread, vcpu, exit as EcreateExit, hardware),
      einit: () => this.#einit(thread, vcpu, exit as EinitExit),
    });
  }

  *#ecreate(
    thread: Thread,
    vcpu: KvmVcpu,
    { secs, source }: EcreateExit,
    hardware: GuestHardware,
  ): Routine<EnclsOutcome> {
    const { epc, host } = this.#parts;
    if (!epc.has(secs)) return this.#leaves.refusal(vcpu, source) ?? refusedOperand(vcpu, secs);
    const linear = BigInt(epc.physical(secs));
    const outcome = yield* this.#leaves.ecreate(thread, vcpu, epc.addressOf(secs), source, linear);
    const isRemembered = outcome.kind === 'skip' && host.vepc.oversub !== null;
    if (isRemembered) hardware.setContext(thread.cpu, secs, epc.resident(secs));
    return outcome;
  }

  *#einit(thread: Thread, vcpu: KvmVcpu, { secs, signature, token }: EinitExit): Routine<EnclsOutcome> {
    const { epc } = this.#parts;
    if (!epc.has(secs)) return refusedOperand(vcpu, secs);
    const linear = BigInt(epc.physical(secs));
    return yield* this.#leaves.einit(thread, vcpu, epc.addressOf(secs), signature, token, linear);
  }

  /** The guest's result of a leaf that the host has handled. */
  #delivered(outcome: EnclsOutcome): LeafResult | null {
    if (outcome.kind === 'skip') return outcome.rax ?? 0;
    if (outcome.kind === 'inject') return injected[outcome.vector] as LeafResult;
    this.#parts.stop(`KVM: internal error, ${outcome.reason}`);
    return null;
  }
}

/** A SECS operand without an EPC page behind it: as the leaf of the host takes it. */
function refusedOperand(vcpu: KvmVcpu, operand: PageIndex): EnclsOutcome {
  if (operand === PageOperand.MISALIGNED) return inject(Vector.GP);
  return injectTrap({ vector: Vector.PF }, faultModels(vcpu), 0n);
}

const injected: Readonly<Record<number, LeafResult>> = {
  [Vector.UD]: LeafFault.UD,
  [Vector.GP]: LeafFault.GP,
  [Vector.PF]: LeafFault.PF,
};
