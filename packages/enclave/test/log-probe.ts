import type { LeafId, Probe } from '@epckit/interface';
import { Leaf, leafNames, Verdict } from '@epckit/interface';

const verdictNames = Object.fromEntries(Object.entries(Verdict).map(([name, value]) => [value, name]));

/** Writes trace points down as words; leaves carry the label of their page, or its number. */
export class LogProbe implements Probe {
  /** Leaves only: `EWB a 11`; the result is left out when it is zero. */
  leaves: string[] = [];
  /** Everything but leaves. */
  events: string[] = [];
  /** Leaves and IPIs with the slots of EWB and ELDU. */
  slots: string[] = [];
  /** Leaves, ageing and zaps in one order. */
  order: string[] = [];
  readonly #labels = new Map<number, string>();

  /** Calls pages by names from here on. */
  label(labels: Readonly<Record<string, number>>): void {
    this.#labels.clear();
    for (const [label, page] of Object.entries(labels)) this.#labels.set(page, label);
  }

  /** Forgets what was written down. */
  clear(): void {
    this.leaves = [];
    this.events = [];
    this.slots = [];
    this.order = [];
  }

  leaf(_cpu: number, leaf: LeafId, page: number, result: number, vaPage: number, slot: number): void {
    const name = leafNames[leaf] as string;
    const operand = this.#labels.get(page) ?? page;
    this.#did(leaf === Leaf.AEX ? 'AEX' : `${name} ${operand}${result === 0 ? '' : ` ${result}`}`);
    if (vaPage >= 0 && result === 0) this.slots.push(`${name} ${operand} ${vaPage}:${slot}`);
  }

  pageAllocated(_thread: number, page: number): void {
    this.events.push(`allocated ${page}`);
  }

  pageFreed(_thread: number, page: number): void {
    this.events.push(`freed ${this.#labels.get(page) ?? page}`);
  }

  reclaimVerdict(_thread: number, page: number, verdict: number): void {
    this.events.push(`${verdictNames[verdict]} ${this.#labels.get(page) ?? page}`);
  }

  batchEnded(_thread: number, isolated: number, evicted: number, direct: boolean): void {
    this.events.push(`batch ${isolated} ${evicted} ${direct ? 'direct' : 'daemon'}`);
  }

  daemonWoken(_thread: number, _daemon: number, wasAsleep: boolean): void {
    this.events.push(wasAsleep ? 'woken' : 'woken already');
  }

  daemonRuns(_daemon: number, running: boolean): void {
    this.events.push(running ? 'runs' : 'sleeps');
  }

  faultHandled(_thread: number, _owner: number, enclavePage: number, isMapped: boolean): void {
    this.events.push(`fault ${enclavePage} ${isMapped ? 'mapped' : 'not mapped'}`);
  }

  pteZapped(_thread: number, _owner: number, enclavePage: number, mm: number): void {
    this.events.push(`zapped ${enclavePage} in ${mm}`);
    this.order.push(`zap ${enclavePage}`);
  }

  aged(_thread: number, _owner: number, enclavePage: number, young: boolean): void {
    this.events.push(`aged ${enclavePage} ${young ? 'young' : 'old'}`);
    this.order.push(`age ${enclavePage}`);
  }

  ipiSent(_thread: number, targets: readonly number[]): void {
    this.#did(`IPI ${targets.join(' ')}`);
  }

  backingDropped(_thread: number, _owner: number, filePage: number, wasPresent: boolean): void {
    this.events.push(`dropped ${filePage}${wasPresent ? '' : ' absent'}`);
  }

  lockContended(): void {}

  warned(_thread: number, where: string): void {
    this.events.push(`warned ${where}`);
  }

  #did(what: string): void {
    this.leaves.push(what);
    this.order.push(what);
  }
}
