import type { CpuId, LeafId, LeafResult, OwnerId, PageIndex, Probe, ThreadId } from '@epckit/interface';
import { FAULT_FLAG, Leaf, leafNames, NONE, SgxCode } from '@epckit/interface';
import type { Names } from './names.js';
import type { ScriptMachine } from './script.js';

/** One event of a record. */
export type ScriptEvent = readonly unknown[];

const fills: ReadonlySet<number> = new Set([Leaf.ECREATE, Leaf.EADD, Leaf.EAUG, Leaf.EPA, Leaf.ELDU]);
const entries: ReadonlySet<number> = new Set([Leaf.EENTER, Leaf.ERESUME, Leaf.EEXIT, Leaf.AEX]);

/** Collects trace points as the events of a step's record. */
export class Recorder implements Probe {
  /** Set after the stack is composed: names need its frame table. */
  names: Names | null = null;
  /**
   * Enclaves that the hardware knows, from ECREATE to EREMOVE of the SECS, with their successful ETRACKs: the
   * epoch, also while the SECS is out of the EPC. An enclave that is released then stays, as its image does.
   */
  readonly epochs = new Map<string, number>();
  readonly #machine: ScriptMachine;
  /** EPC pages that the hardware holds as used. */
  readonly #used = new Set<PageIndex>();
  #events: unknown[][] = [];
  #wakes = 0;
  /** Last event of EREMOVEs on unused pages. */
  #run: { readonly event: unknown[]; readonly first: PageIndex; end: PageIndex } | null = null;

  constructor(machine: ScriptMachine) {
    this.#machine = machine;
  }

  /** Events and wake-ups since the last call. */
  take(): { events: readonly ScriptEvent[]; wakes: number } {
    const taken = { events: this.#events, wakes: this.#wakes };
    this.#events = [];
    this.#wakes = 0;
    return taken;
  }

  leaf(cpu: CpuId, leaf: LeafId, page: PageIndex, result: LeafResult, vaPage: PageIndex, slot: number): void {
    const names = this.#names();
    const enclave = names.ownerOf(page);
    if (entries.has(leaf)) {
      if (result === SgxCode.SUCCESS) this.#events.push([leafNames[leaf], cpu, enclave]);
      return;
    }
    if (result === SgxCode.SUCCESS && enclave !== null) this.#noteEnclave(leaf, page, enclave);
    const wasUsed = this.#used.has(page);
    this.#noteUse(leaf, page, result);
    if (leaf === Leaf.EREMOVE && !wasUsed) {
      this.#pushUnusedRemoved(page);
      return;
    }
    if (leaf === Leaf.EEXTEND && this.#extendsMeasurement(page, result)) return;
    const event: unknown[] = [
      leafNames[leaf],
      names.page(page),
      enclave,
      names.recordOf(page),
      resultWord(result),
    ];
    if (leaf === Leaf.EEXTEND) event.push(1);
    if (vaPage !== NONE) event.push(`${names.recordOf(vaPage)}:${slot}`);
    this.#events.push(event);
  }

  pageAllocated(): void {}
  pageFreed(): void {}
  reclaimVerdict(): void {}
  batchEnded(): void {}
  lockContended(): void {}
  faultHandled(): void {}

  daemonWoken(): void {
    this.#wakes++;
  }

  daemonRuns(_daemon: ThreadId, running: boolean): void {
    this.#events.push(['KSGXD', running ? 'begin' : 'end']);
  }

  pteZapped(_thread: ThreadId, owner: OwnerId, enclavePage: number, mm: number): void {
    this.#events.push(['ZAP', this.#names().enclave(owner), enclavePage, this.#names().process(mm)]);
  }

  aged(_thread: ThreadId, owner: OwnerId, enclavePage: number, young: boolean): void {
    if (this.#machine.trace_age !== true) return;
    this.#events.push(['AGE', this.#names().enclave(owner), enclavePage, young ? 1 : 0]);
  }

  ipiSent(_thread: ThreadId, targets: readonly CpuId[]): void {
    this.#events.push(['IPI', [...targets]]);
  }

  backingDropped(_thread: ThreadId, owner: OwnerId, filePage: number, wasPresent: boolean): void {
    if (this.#machine.trace_backing !== true) return;
    const event: unknown[] = ['TRUNC', this.#names().enclave(owner), filePage];
    if (!wasPresent) event.push('absent');
    this.#events.push(event);
  }

  warned(_thread: ThreadId, where: string): void {
    this.#events.push(['WARN', where]);
  }

  /** A signal was sent. */
  signalled(name: string): void {
    this.#events.push([name]);
  }

  #names(): Names {
    return this.names as Names;
  }

  /** Keeps track of which pages are used: EREMOVE of an unused page is recorded without an owner. */
  #noteUse(leaf: LeafId, page: PageIndex, result: LeafResult): void {
    if (result !== SgxCode.SUCCESS) return;
    if (fills.has(leaf)) this.#used.add(page);
    if (leaf === Leaf.EWB || leaf === Leaf.EREMOVE) this.#used.delete(page);
  }

  #noteEnclave(leaf: LeafId, page: PageIndex, enclave: string): void {
    if (leaf === Leaf.ECREATE) this.epochs.set(enclave, 0);
    if (leaf === Leaf.ETRACK) this.epochs.set(enclave, (this.epochs.get(enclave) ?? 0) + 1);
    if (leaf === Leaf.EREMOVE && this.#used.has(page) && this.#names().recordOf(page) === 'SECS') {
      this.epochs.delete(enclave);
    }
  }

  /** EREMOVEs of unused pages in ascending order are one event. */
  #pushUnusedRemoved(page: PageIndex): void {
    const last = this.#events.at(-1);
    const names = this.#names();
    if (last !== undefined && last === this.#run?.event && this.#run.end + 1 === page) {
      const { first } = this.#run;
      if (names.page(first).split(':')[0] === names.page(page).split(':')[0]) {
        last[1] = names.run(first, page);
        this.#run.end = page;
        return;
      }
    }
    const event = ['EREMOVE', names.page(page), null, null, 0];
    this.#run = { event, first: page, end: page };
    this.#events.push(event);
  }

  /** Joins EEXTENDs of one page to one event with a count. */
  #extendsMeasurement(page: PageIndex, result: LeafResult): boolean {
    const last = this.#events.at(-1);
    const isSame =
      last?.[0] === 'EEXTEND' && last[1] === this.#names().page(page) && last[4] === resultWord(result);
    if (last === undefined || !isSame || last[5] === 16) return false;
    last[5] = (last[5] as number) + 1;
    return true;
  }
}

/** `0`, a code, `"#PF"` or `"#GP"`. */
function resultWord(result: LeafResult): number | string {
  if ((result & FAULT_FLAG) === 0) return result;
  return (result & 0xff) === 14 ? '#PF' : '#GP';
}
