import type { CostKey, CpuId, CpuSet, IpiSender, Op, Probe, Routine, Thread } from '@epckit/interface';
import { Cost, Mode, op } from '@epckit/interface';
import type { Blocker } from './blocker.js';
import type { MachineThread } from './thread.js';
import type { TimedDriver } from './timed.js';
import type { Shared } from './world.js';

/** What an interrupt does on its CPU. */
export interface InterruptHandler {
  /** The interrupt arrives. @returns true if the CPU was inside an enclave */
  arrive(by: MachineThread, cpu: CpuId): boolean;
  /** The interrupt returns; all targets of the round have been interrupted when they run at the same time. */
  leave(by: MachineThread, cpu: CpuId): void;
}

/** What an IPI sender needs of the machine. */
export interface IpiHost {
  readonly shared: Shared;
  /** Driver of the timed world. */
  readonly timed: TimedDriver;
  /** What one target costs. */
  readonly targetCost: CostKey;
  /** Starts an interrupt routine on `cpu`; explored world only. */
  interrupt(cpu: CpuId, routine: (thread: MachineThread) => Routine<void>): MachineThread;
}

/** One round on its way: ends when every target has answered. */
class Round implements Blocker {
  readonly name = 'ipi.acknowledgement';
  readonly isIdle = false;
  readonly spins = false;
  readonly pending: MachineThread[] = [];
  interrupted = 0;

  canProceed(): boolean {
    return this.pending.every((target) => target.routine === null);
  }

  holders(): readonly MachineThread[] {
    return this.pending.filter((target) => target.routine !== null);
  }
}

/**
 * Sends IPIs. In the explored world every target is interrupted by a thread of its own, at a moment that the
 * schedule chooses; elsewhere the interrupt arrives at the sender's time, on top of whatever runs there. In the
 * timed world the sender waits until the handlers have answered.
 */
export class Ipi implements IpiSender {
  /** Rounds that were sent. */
  rounds = 0;
  /** CPUs that a round has thrown out of an enclave, over all rounds; in the explored world without kicks. */
  interruptedCpus = 0;
  readonly #host: IpiHost;
  readonly #handler: InterruptHandler;
  readonly #probe: Probe | null;
  readonly #object: number;
  readonly #sending: Op;
  readonly #waiting: Op;

  /** @internal */
  constructor(host: IpiHost, handler: InterruptHandler, probe: Probe | null) {
    this.#host = host;
    this.#handler = handler;
    this.#probe = probe;
    this.#object = host.shared.objects.range('ipi', 1);
    this.#sending = op(this.#object, Mode.WRITE);
    this.#waiting = op(this.#object, Mode.WAIT);
  }

  *send(thread: Thread, cpus: CpuSet): Routine<number> {
    if (thread.spend(Cost.IPI_FIXED) > thread.limit) yield this.#sending;
    const sender = thread as MachineThread;
    const targets = this.#begin(sender, cpus);
    if (this.#host.shared.world !== 'explored') return this.#deliver(sender, targets, true);
    const round = this.#deliverLater(sender, targets);
    while (!round.canProceed()) {
      sender.blockedOn = round;
      yield this.#waiting;
    }
    sender.blockedOn = null;
    this.#host.shared.checking?.touched(sender, this.#object, Mode.WRITE);
    this.interruptedCpus += round.interrupted;
    return round.interrupted;
  }

  *kick(thread: Thread, cpus: CpuSet): Routine<void> {
    if (thread.spend(Cost.IPI_FIXED) > thread.limit) yield this.#sending;
    const sender = thread as MachineThread;
    const targets = this.#begin(sender, cpus);
    if (this.#host.shared.world === 'explored') this.#deliverLater(sender, targets);
    else this.#deliver(sender, targets, false);
  }

  /** Counts and reports a round. @returns its targets */
  #begin(sender: MachineThread, cpus: CpuSet): CpuId[] {
    const targets: CpuId[] = [];
    for (let cpu = cpus.next(0); cpu >= 0; cpu = cpus.next(cpu + 1)) targets.push(cpu);
    this.#probe?.ipiSent(sender.id, targets);
    this.rounds++;
    return targets;
  }

  /** Direct and timed world: the interrupts arrive at once. */
  #deliver(sender: MachineThread, targets: readonly CpuId[], isAwaited: boolean): number {
    const isTimed = this.#host.shared.world === 'timed';
    const interrupted = isTimed
      ? this.#deliverInTime(sender, targets, isAwaited)
      : this.#deliverNow(sender, targets);
    this.interruptedCpus += interrupted;
    return interrupted;
  }

  #deliverNow(sender: MachineThread, targets: readonly CpuId[]): number {
    let interrupted = 0;
    for (const cpu of targets) {
      if (cpu === sender.cpu) continue;
      sender.spend(this.#host.targetCost);
      if (this.#handler.arrive(sender, cpu)) interrupted++;
    }
    for (const cpu of targets) if (cpu !== sender.cpu) this.#handler.leave(sender, cpu);
    return interrupted;
  }

  /** The handler runs on the target's time. The round ends when the last one has answered. */
  #deliverInTime(sender: MachineThread, targets: readonly CpuId[], isAwaited: boolean): number {
    const { timed, targetCost } = this.#host;
    let interrupted = 0;
    let answered = 0;
    for (const cpu of targets) if (cpu !== sender.cpu) timed.catchUpCpu(sender, cpu);
    for (const cpu of targets) {
      if (cpu === sender.cpu) continue;
      const target = timed.currentOf(cpu);
      const before = target?.clock ?? 0;
      const arrival = sender.spend(targetCost);
      if (this.#handler.arrive(sender, cpu)) interrupted++;
      answered = Math.max(answered, arrival + (target?.clock ?? 0) - before);
    }
    if (isAwaited) sender.waitUntil(answered, Cost.IPI_WAIT);
    for (const cpu of targets) {
      if (cpu === sender.cpu) continue;
      this.#handler.leave(sender, cpu);
      timed.interrupted(cpu);
    }
    return interrupted;
  }

  #deliverLater(sender: MachineThread, targets: readonly CpuId[]): Round {
    const round = new Round();
    const { targetCost } = this.#host;
    const { checking } = this.#host.shared;
    checking?.touched(sender, this.#object, Mode.WRITE);
    for (const cpu of targets) {
      if (cpu === sender.cpu) continue;
      const arriving = this.#sending;
      const handle = (target: MachineThread): void => {
        checking?.touched(target, this.#object, Mode.WRITE);
        if (this.#handler.arrive(target, cpu)) round.interrupted++;
        this.#handler.leave(target, cpu);
      };
      round.pending.push(
        this.#host.interrupt(cpu, function* deliver(target): Routine<void> {
          if (target.spend(targetCost) > target.limit) yield arriving;
          handle(target);
        }),
      );
    }
    return round;
  }
}
