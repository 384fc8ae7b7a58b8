import type { LeafId, LeafResult, Probe } from '@epckit/interface';
import { Leaf, leafNames } from '@epckit/interface';

/** Writes trace points down as words: `EREMOVE 3 13`; the result is left out when it is zero. */
export class LogProbe implements Probe {
  /** Leaves. */
  leaves: string[] = [];
  /** Everything but leaves. */
  events: string[] = [];

  /** Forgets what was written down. */
  clear(): void {
    this.leaves = [];
    this.events = [];
  }

  /** Leaves since the last call. */
  take(): string[] {
    const { leaves } = this;
    this.leaves = [];
    return leaves;
  }

  leaf(cpu: number, leaf: LeafId, page: number, result: LeafResult, _vaPage?: number, _slot?: number): void {
    const name = leafNames[leaf] as string;
    const operand = leaf === Leaf.EENTER || leaf === Leaf.EEXIT ? `on ${cpu}` : page;
    this.leaves.push(`${name} ${operand}${result === 0 ? '' : ` ${result}`}`);
  }

  pageAllocated(_thread: number, page: number): void {
    this.events.push(`allocated ${page}`);
  }

  pageFreed(_thread: number, page: number): void {
    this.events.push(`freed ${page}`);
  }

  daemonWoken(): void {
    this.events.push('woken');
  }

  faultHandled(_thread: number, owner: number, page: number, isMapped: boolean): void {
    this.events.push(`fault ${owner}:${page} ${isMapped ? 'mapped' : 'not mapped'}`);
  }

  warned(_thread: number, where: string): void {
    this.events.push(`warned ${where}`);
  }

  reclaimVerdict(): void {}
  batchEnded(): void {}
  daemonRuns(_daemon: number, _running: boolean): void {}
  pteZapped(): void {}
  aged(): void {}
  ipiSent(): void {}
  backingDropped(): void {}
  lockContended(): void {}
}
