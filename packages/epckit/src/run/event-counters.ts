import type {
  CpuId,
  LeafId,
  LeafResult,
  NodeId,
  Op,
  OwnerId,
  PageIndex,
  ThreadId,
  VerdictId,
} from '@epckit/interface';
import { leafNames, opObject, Verdict } from '@epckit/interface';
import type { MachineThread } from '@epckit/machine';
import { RunCounters } from './counters.js';
import type { RunEvent, RunEventFacts, RunEventListener, RunEventName } from './events.js';
import type { FaultKind } from './fault-latency.js';

const verdictNames: Readonly<Record<number, string>> = Object.fromEntries(
  Object.entries(Verdict).map(([name, value]) => [value, name.toLowerCase()]),
);

/** Counters that also tell a listener of every trace point, from the beginning of the run on. */
export class EventCounters extends RunCounters {
  /** Names of the enclaves by owner id; set when they exist. */
  readonly enclaveNames = new Map<OwnerId, string>();
  readonly #listener: RunEventListener;

  constructor(listener: RunEventListener) {
    super();
    this.#listener = listener;
  }

  override faultBegins(thread: MachineThread, owner: OwnerId, page: number): void {
    this.#emit(thread.id, 'fault', 'begin', { enclave: this.#nameOf(owner), page });
  }

  override faultEnds(thread: MachineThread, kind: FaultKind, faults: number): void {
    this.#emit(thread.id, 'fault', 'end', { kind, faults });
  }

  override batchBegins(thread: ThreadId): void {
    this.#emit(thread, 'batch', 'begin', {});
  }

  override batchEnds(thread: ThreadId, freed: number): void {
    this.#emit(thread, 'batch', 'end', { freed });
  }

  override ipiBegins(thread: ThreadId, targets: number): void {
    this.#emit(thread, 'ipi', 'begin', { targets });
  }

  override ipiEnds(thread: ThreadId, interrupted: number): void {
    this.#emit(thread, 'ipi', 'end', { interrupted });
  }

  override leaf(cpu: CpuId, leaf: LeafId, page: PageIndex, result: LeafResult): void {
    super.leaf(cpu, leaf, page, result);
    if (!this.isRunning) return;
    this.#emit(this.threadOn(cpu), 'leaf', 'point', {
      leaf: leafNames[leaf] ?? String(leaf),
      epcPage: page,
      result,
    });
  }

  override pageAllocated(thread: ThreadId, page: PageIndex, node: NodeId): void {
    super.pageAllocated(thread, page, node);
    const { freePages } = this.freePages;
    this.#emit(thread, 'page.allocated', 'point', { epcPage: page, node, freePages });
  }

  override pageFreed(thread: ThreadId, page: PageIndex, node: NodeId): void {
    super.pageFreed(thread, page, node);
    const { freePages } = this.freePages;
    this.#emit(thread, 'page.freed', 'point', { epcPage: page, node, freePages });
  }

  override daemonWoken(thread: ThreadId, daemon: ThreadId, wasAsleep: boolean): void {
    super.daemonWoken(thread, daemon, wasAsleep);
    this.#emit(thread, 'ksgxd.woken', 'point', { wasAsleep });
  }

  override daemonRuns(daemon: ThreadId, running: boolean): void {
    super.daemonRuns(daemon, running);
    this.#emit(daemon, 'ksgxd.awake', running ? 'begin' : 'end', {});
  }

  override reclaimVerdict(thread: ThreadId, page: PageIndex, verdict: VerdictId): void {
    super.reclaimVerdict(thread, page, verdict);
    const word = verdictNames[verdict] ?? String(verdict);
    this.#emit(thread, 'reclaim.verdict', 'point', { epcPage: page, verdict: word });
  }

  override pteZapped(thread: ThreadId, owner: OwnerId, page: number): void {
    this.#emit(thread, 'pte.zapped', 'point', { enclave: this.#nameOf(owner), page });
  }

  override aged(thread: ThreadId, owner: OwnerId, page: number, young: boolean): void {
    this.#emit(thread, 'pte.aged', 'point', { enclave: this.#nameOf(owner), page, young });
  }

  override backingDropped(thread: ThreadId, owner: OwnerId, filePage: number): void {
    this.#emit(thread, 'backing.dropped', 'point', { enclave: this.#nameOf(owner), filePage });
  }

  override lockContended(thread: ThreadId, lock: Op, cycles: number): void {
    super.lockContended(thread, lock, cycles);
    const name = this.stack?.machine.objects.nameOf(opObject(lock)) ?? '';
    this.#emit(thread, 'lock.contended', 'point', { lock: name });
  }

  override warned(thread: ThreadId, where: string): void {
    this.#emit(thread, 'warning', 'point', { where });
  }

  #emit(id: ThreadId, name: RunEventName, phase: RunEvent['phase'], facts: RunEventFacts): void {
    if (!this.isRunning) return;
    const thread = this.thread(id);
    const { clock, cpu, name: threadName } = thread;
    this.#listener({ cycle: clock - this.began, cpu, thread: id, threadName, name, phase, facts });
  }

  #nameOf(owner: OwnerId): string {
    return this.enclaveNames.get(owner) ?? `owner ${owner}`;
  }
}
