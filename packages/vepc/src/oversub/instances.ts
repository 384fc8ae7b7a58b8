import type { OwnerId, PageIndex } from '@epckit/interface';
import { InvariantViolation, PAGE_SIZE_BYTES } from '@epckit/interface';
import type { OversubInstance } from './instance.js';
import type { OversubVm } from './vm.js';

/** Where a SECS is. */
export interface SecsPlace {
  /** Instance that has it. */
  readonly instance: OversubInstance;
  /** Page of the instance. */
  readonly page: number;
}

/** A page in work. */
export interface GuestPage {
  /** Its instance. */
  readonly instance: OversubInstance;
  /** Page of the instance. */
  readonly index: number;
  /** EPC page. */
  readonly page: PageIndex;
}

/** The value of ENCLAVECONTEXT that the host gives to a SECS it has loaded: its host address, and bit 0 to tell. */
export function hostCookie(hostPage: number): number {
  return hostPage * PAGE_SIZE_BYTES + 1;
}

/** Number of a place in the numbering of host pages. */
export function hostPageOf({ instance, page }: SecsPlace): number {
  return instance.firstHostPage + page;
}

/** Instances with reclaim enabled, and the host addresses of their pages: each page of the VMM has one number. */
export class GuestInstances {
  /** Marks that instances had set which are gone, see `HostMarks.made`. */
  marksOfGone = 0;
  readonly #byOwner = new Map<OwnerId, OversubInstance>();
  #nextHostPage = 1;

  /** First of `pageCount` host pages for a new instance, never given out again. */
  reserve(pageCount: number): number {
    const first = this.#nextHostPage;
    this.#nextHostPage += pageCount;
    return first;
  }

  /** Adds an instance. */
  add(instance: OversubInstance): void {
    this.#byOwner.set(instance.id, instance);
  }

  /** Forgets an instance that is gone. */
  delete(instance: OversubInstance): void {
    this.marksOfGone += instance.marks.made;
    this.#byOwner.delete(instance.id);
  }

  /** Instance of an owner id, or undefined: reclaim is not enabled for it, or it is gone. */
  of(owner: OwnerId): OversubInstance | undefined {
    return this.#byOwner.get(owner);
  }

  /** Instance of an owner id. @throws InvariantViolation if there is none */
  require(owner: OwnerId): OversubInstance {
    const instance = this.#byOwner.get(owner);
    if (instance === undefined) throw new InvariantViolation(`Instance ${owner} has no reclaim.`);
    return instance;
  }

  /** All of them, in the order in which reclaim was enabled. */
  all(): OversubInstance[] {
    return [...this.#byOwner.values()];
  }

  /** Page at a number of host pages, mapped or not; null: its instance is gone. */
  placeOf(hostPage: number): SecsPlace | null {
    for (const instance of this.#byOwner.values()) {
      const page = hostPage - instance.firstHostPage;
      if (page >= 0 && page < instance.vepc.pageCount) return { instance, page };
    }
    return null;
  }

  /** Page at a number of host pages if the VMM of `vm` still maps it there, or null; the mmap lock is held. */
  at(vm: OversubVm, hostPage: number): SecsPlace | null {
    const place = this.placeOf(hostPage);
    if (place === null || place.instance.vm !== vm) return null;
    return place.instance.tableAt(place.page) === undefined ? null : place;
  }

  /** Place that ENCLAVECONTEXT names: a host address if bit 0 is set, else a guest-physical one; or null. */
  locate(vm: OversubVm, context: number): SecsPlace | null {
    if (context % 2 === 1) return this.at(vm, (context - 1) / PAGE_SIZE_BYTES);
    const target = vm.resolve(context);
    const instance = target === null ? undefined : this.#byOwner.get(target.vepc.id);
    if (target === null || instance?.vm !== vm) return null;
    return instance.tableAt(target.page) === undefined ? null : { instance, page: target.page };
  }
}
