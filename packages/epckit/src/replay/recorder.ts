import type { CpuId, LeafId, LeafResult, OwnerId, PageIndex, Probe, ThreadId } from '@epckit/interface';
import { FAULT_FLAG, Leaf, leafNames, NONE, PageType, SecInfo, SgxCode } from '@epckit/interface';
import type { Names } from './names.js';
import type { ScriptMachine, StepRecord } from './script.js';

/** One event of a record. */
export type ScriptEvent = readonly unknown[];

/** An enclave that the hardware knows. */
export interface KnownEnclave {
  /** Successful ETRACKs. */
  readonly epoch: number;
  /** EPC page of its SECS, `-1` while that is out of the EPC. */
  readonly secs: PageIndex;
}

/** What an EPC page holds; {@link NOTHING} for an unused page and for one of no enclave. */
interface Holding {
  readonly enclave: string | null;
  /** Page number, `"SECS"` or `"VA<n>"`. */
  readonly record: number | string | null;
}

const NOTHING: Holding = { enclave: null, record: null };

const fills: ReadonlySet<number> = new Set([Leaf.ECREATE, Leaf.EADD, Leaf.EAUG, Leaf.EPA, Leaf.ELDU]);
/** Other leaves of enclave code are no events: their steps say what came of them. */
const silent: ReadonlySet<number> = new Set([Leaf.EACCEPT, Leaf.EMODPE]);
const entries: ReadonlySet<number> = new Set([Leaf.EENTER, Leaf.ERESUME, Leaf.EEXIT, Leaf.AEX]);

/** Collects trace points as the events of a step's record. */
export class Recorder implements Probe {
  /** Set after the stack is composed: names need its frame table. */
  names: Names | null = null;
  /** Hears of each leaf and each round of IPIs (`"IPI"`). */
  onCall: ((name: string) => void) | null = null;
  /** What happens is not recorded: it is preparation. */
  isMuted = false;
  /**
   * Enclaves that the hardware knows by name, from ECREATE to EREMOVE of the SECS. An enclave that is released
   * while its SECS is out of the EPC stays, as its image does.
   */
  readonly known = new Map<string, KnownEnclave>();
  readonly #machine: ScriptMachine;
  /** What EPC pages hold, for those that the hardware holds as used. */
  readonly #held = new Map<PageIndex, Holding>();
  #events: unknown[][] = [];
  #wakes = 0;
  /** SECINFO of the last EMODPR or EMODT. */
  #secinfo = 0;
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

  /** Plays a step within the step that is being recorded; its record becomes an event. */
  nested(play: () => StepRecord): void {
    const outer = { events: this.#events, wakes: this.#wakes };
    this.#events = [];
    this.#wakes = 0;
    this.#run = null;
    const record = play();
    this.#events = outer.events;
    this.#wakes = outer.wakes;
    this.#run = null;
    this.#push(['STEP', record]);
  }

  leaf(cpu: CpuId, leaf: LeafId, page: PageIndex, result: LeafResult, vaPage: PageIndex, slot: number): void {
    this.onCall?.(leafNames[leaf] as string);
    if (entries.has(leaf)) {
      if (result === SgxCode.SUCCESS) this.#push([leafNames[leaf], cpu, this.#held.get(page)?.enclave]);
      return;
    }
    if (silent.has(leaf)) return;
    const holding = this.#holding(leaf, page, result);
    if (result === SgxCode.SUCCESS) this.#note(leaf, page, holding);
    if (leaf === Leaf.EREMOVE && result === SgxCode.SUCCESS && holding.enclave === null) {
      this.#pushUnusedRemoved(page);
      return;
    }
    if (leaf === Leaf.EEXTEND && this.#extendsMeasurement(page, result)) return;
    const event = this.#leafEvent(leaf, page, result, holding);
    if (leaf === Leaf.EEXTEND) event.push(1);
    if (result === SgxCode.SUCCESS && leaf === Leaf.EMODPR) event.push(rightsWord(this.#secinfo));
    if (result === SgxCode.SUCCESS && leaf === Leaf.EMODT) event.push(typeWord(this.#secinfo));
    const versions = this.#held.get(vaPage);
    if (versions !== undefined) event.push(`${versions.record}:${slot}`);
    this.#push(event);
  }

  /** EMODPR or EMODT with this SECINFO is the next leaf. */
  noteSecInfo(secinfo: number): void {
    this.#secinfo = secinfo;
  }

  /** A leaf was not executed: its result was injected. */
  leafInjected(leaf: LeafId, page: PageIndex, result: LeafResult): void {
    this.onCall?.(leafNames[leaf] as string);
    const event = this.#leafEvent(leaf, page, result, this.#held.get(page) ?? NOTHING);
    this.#push([...event, 'injected']);
  }

  /** The EPC has lost its contents. */
  powerLost(): void {
    this.#held.clear();
    this.known.clear();
    this.#names().unlabelAll();
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
    this.#push(['KSGXD', running ? 'begin' : 'end']);
  }

  pteZapped(_thread: ThreadId, owner: OwnerId, enclavePage: number, mm: number): void {
    this.#push(['ZAP', this.#names().enclave(owner), enclavePage, this.#names().process(mm)]);
  }

  aged(_thread: ThreadId, owner: OwnerId, enclavePage: number, young: boolean): void {
    if (this.#machine.trace_age !== true) return;
    this.#push(['AGE', this.#names().enclave(owner), enclavePage, young ? 1 : 0]);
  }

  ipiSent(_thread: ThreadId, targets: readonly CpuId[]): void {
    this.onCall?.('IPI');
    this.#push(['IPI', [...targets]]);
  }

  backingDropped(_thread: ThreadId, owner: OwnerId, filePage: number, wasPresent: boolean): void {
    if (this.#machine.trace_backing !== true) return;
    const event: unknown[] = ['TRUNC', this.#names().enclave(owner), filePage];
    if (!wasPresent) event.push('absent');
    this.#push(event);
  }

  warned(_thread: ThreadId, where: string): void {
    this.#push(['WARN', where]);
  }

  /** A signal was sent. */
  signalled(name: string): void {
    this.#push([name]);
  }

  #push(event: unknown[]): void {
    if (!this.isMuted) this.#events.push(event);
  }

  #names(): Names {
    return this.names as Names;
  }

  #leafEvent(leaf: LeafId, page: PageIndex, result: LeafResult, { enclave, record }: Holding): unknown[] {
    return [leafNames[leaf], this.#names().page(page), enclave, record, resultWord(result)];
  }

  /**
   * Records name what the hardware knows: of a leaf that fills a page with something of an enclave, the enclave
   * by its SECS; of every other leaf, what the page holds.
   */
  #holding(leaf: LeafId, page: PageIndex, result: LeafResult): Holding {
    if (!fills.has(leaf)) return this.#held.get(page) ?? NOTHING;
    const names = this.#names();
    const meant = { enclave: names.ownerOf(page), record: names.recordOf(page) };
    if (leaf === Leaf.ECREATE && result !== SgxCode.SUCCESS) return this.#held.get(page) ?? meant;
    const needsSecs = leaf === Leaf.EADD || leaf === Leaf.EAUG || leaf === Leaf.ELDU;
    if (result === SgxCode.SUCCESS || !needsSecs || meant.record === 'SECS') return meant;
    const secs = this.known.get(meant.enclave ?? '')?.secs ?? NONE;
    return this.#held.has(secs) ? meant : NOTHING;
  }

  /** A leaf has succeeded: keeps track of what pages hold, and of where each SECS is. */
  #note(leaf: LeafId, page: PageIndex, holding: Holding): void {
    if (fills.has(leaf)) this.#held.set(page, holding);
    const isEmptied = leaf === Leaf.EWB || leaf === Leaf.EREMOVE;
    if (isEmptied) this.#held.delete(page);
    if (leaf === Leaf.EREMOVE) this.#names().unlabel(page);
    const { enclave, record } = holding;
    if (enclave === null) return;
    const epoch = this.known.get(enclave)?.epoch ?? 0;
    if (leaf === Leaf.ETRACK) this.known.set(enclave, { epoch: epoch + 1, secs: page });
    if (record !== 'SECS') return;
    if (leaf === Leaf.ECREATE) this.known.set(enclave, { epoch: 0, secs: page });
    if (leaf === Leaf.ELDU) this.known.set(enclave, { epoch, secs: page });
    if (leaf === Leaf.EWB) this.known.set(enclave, { epoch, secs: NONE });
    if (leaf === Leaf.EREMOVE) this.known.delete(enclave);
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
    this.#push(event);
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
export function resultWord(result: LeafResult): number | string {
  if ((result & FAULT_FLAG) === 0) return result;
  return (result & 0xff) === 14 ? '#PF' : '#GP';
}

/** Permissions as `"rwx"`, with `-` for each that is missing. */
function rightsWord(secinfo: number): string {
  const letter = (bit: number, name: string) => ((secinfo & bit) === 0 ? '-' : name);
  return `${letter(SecInfo.R, 'r')}${letter(SecInfo.W, 'w')}${letter(SecInfo.X, 'x')}`;
}

/** Name of the page type. */
function typeWord(secinfo: number): string {
  const type = secinfo >> SecInfo.TYPE_SHIFT;
  return Object.entries(PageType).find(([, value]) => value === type)?.[0] ?? `type ${type}`;
}
