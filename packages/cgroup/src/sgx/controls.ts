import type { GroupId, LockFactory, PageIndex, Routine, SharedNumber, Thread } from '@epckit/interface';
import type { MiscController } from '../controller.js';
import type { MiscGroup } from '../group.js';
import { Limit } from '../group.js';
import type { EpcGroup } from './epc-group.js';

/** Lines of `sgx_epc.events`, in order. */
export const controlEvents = ['low', 'high', 'max'] as const;
/** Line of `sgx_epc.events`. */
export type ControlEvent = (typeof controlEvents)[number];

/** What the controller of 2018 to 2020 knows of a group beside limit and usage. */
export class EpcControls {
  /** Group that these belong to; the part may be used for another one later. */
  readonly group: MiscGroup;
  /** Usage in bytes below which the group is protected; 0: never. */
  readonly low: Limit;
  /** Usage in bytes above which the group is reclaimed from, without refusing anything. */
  readonly high: Limit;
  /** Events since they were last reset. */
  readonly events: Readonly<Record<ControlEvent, SharedNumber>>;
  /** Pages of the group that reclaimers have freed since this was last reset. */
  readonly reclaimed: SharedNumber;
  /** Times that reclaimers have come to the group since this was last reset. */
  readonly reclamations: SharedNumber;

  constructor(group: MiscGroup, locks: LockFactory) {
    const { name } = group;
    this.group = group;
    this.low = new Limit(`sgx_epc.low of ${name}`, locks, 0n);
    this.high = new Limit(`sgx_epc.high of ${name}`, locks);
    this.events = {
      low: locks.sharedNumber(`low events of ${name}`, 0),
      high: locks.sharedNumber(`high events of ${name}`, 0),
      max: locks.sharedNumber(`max events of ${name}`, 0),
    };
    this.reclaimed = locks.sharedNumber(`pages reclaimed of ${name}`, 0);
    this.reclamations = locks.sharedNumber(`reclamations of ${name}`, 0);
  }
}

/** {@link EpcControls} of all groups, made when somebody first asks. */
export class ControlTable {
  readonly #controller: MiscController;
  readonly #locks: LockFactory;
  readonly #pageCount: number;
  readonly #bySlot: (EpcControls | undefined)[] = [];
  #inHand: Uint8Array | null = null;

  constructor(controller: MiscController, locks: LockFactory, pageCount: number) {
    this.#controller = controller;
    this.#locks = locks;
    this.#pageCount = pageCount;
  }

  /** Controls of a group. Plain. */
  of({ slot, group }: EpcGroup): EpcControls {
    const known = this.#bySlot[slot];
    if (known !== undefined && known.group === group) return known;
    const made = new EpcControls(group, this.#locks);
    this.#bySlot[slot] = made;
    return made;
  }

  /** Counts an event, and tells the listener. */
  *count(thread: Thread, part: EpcGroup, event: ControlEvent): Routine<void> {
    yield* add(thread, this.of(part).events[event]);
    this.notify(part.id);
  }

  /** Tells the listener that `sgx_epc.events` of a group has changed. Plain. */
  notify(group: GroupId): void {
    this.#controller.notify(group, 'sgx_epc.events');
  }

  /** A reclaimer comes to a group. */
  countVisit(thread: Thread, part: EpcGroup): Routine<void> {
    return add(thread, this.of(part).reclamations);
  }

  /** A page of a group was freed by a reclaimer. */
  countReclaimed(thread: Thread, part: EpcGroup): Routine<void> {
    return add(thread, this.of(part).reclaimed);
  }

  /** Says that a reclaimer has the page, or that it has it no more. Plain, by who has the page alone. */
  setInHand(page: PageIndex, isInHand: boolean): void {
    this.#inHand ??= new Uint8Array(this.#pageCount);
    this.#inHand[page] = isInHand ? 1 : 0;
  }

  /** Does a reclaimer have the page? Plain, by who has the page alone. */
  isInHand(page: PageIndex): boolean {
    return this.#inHand !== null && this.#inHand[page] === 1;
  }
}

function* add(thread: Thread, counter: SharedNumber): Routine<void> {
  if (thread.clock > thread.limit) yield counter.adding;
  counter.add(thread, 1);
}
