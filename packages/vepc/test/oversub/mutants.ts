import type { BlockedResult, PageTable, Routine, Thread } from '@epckit/interface';
import { Blocked } from '@epckit/interface';
import type { OversubRecipes } from '../../src/index.js';
import type { GuestPage, SecsPlace } from '../../src/recipes.js';
import { GuestBlocker, GuestFaults, GuestLoader, GuestWriter } from '../../src/recipes.js';

/** Asks first and unmaps then: the guest turns the page into something else in between. */
class AskingFirst extends GuestBlocker {
  protected override *inspect(thread: Thread, subject: GuestPage, table: PageTable): Routine<number> {
    const code = yield* this.parts.leaves.erdinfo(thread, subject.page, subject.instance.info);
    yield* this.zap(thread, subject, table);
    return code;
  }
}

/** Writes first and counts then: the guest removes the SECS in between. */
class WritingFirst extends GuestWriter {
  protected override *depart(thread: Thread, subject: GuestPage, secs: number): Routine<number> {
    const slot = yield* this.ewb(thread, subject);
    if (slot >= 0) yield* this.parts.leaves.einc(thread, secs, secs);
    return slot;
  }
}

/** Counts down before the child is there: the guest removes the SECS in between. */
class CountingDownFirst extends GuestLoader {
  protected override *arrive(thread: Thread, subject: GuestPage, secs: number): Routine<number> {
    if (secs >= 0) yield* this.parts.leaves.edec(thread, secs, secs);
    return yield* this.eld(thread, subject, secs);
  }
}

/** Maps the page before it has contents: the guest finds it invalid. */
class MappingFirst extends GuestFaults {
  protected override *install(
    thread: Thread,
    table: PageTable,
    subject: GuestPage,
    place: SecsPlace | null,
    secs: number,
  ): Routine<number> {
    const { vepc } = subject.instance;
    vepc.pages.set(subject.index, subject.page);
    table.insert(thread, subject.index);
    const result = yield* this.parts.loader.load(thread, subject, place, secs);
    vepc.pages.erase(subject.index);
    if (result !== 0) return result;
    yield* this.attach(thread, subject);
    return yield* this.map(thread, table, subject);
  }
}

/** Leaves the address of the host's memory in the SECS. */
class WithoutCookie extends GuestLoader {
  protected override *setCookie(): Routine<number> {
    return 0;
  }
}

/** Refuses pages that the guest has blocked. */
class RefusingBlocked extends GuestBlocker {
  protected override acceptBlocked(
    thread: Thread,
    subject: GuestPage,
    table: PageTable,
  ): Routine<BlockedResult> {
    return this.restore(thread, subject, table);
  }
}

/** Takes pages that the guest has blocked, and forgets that it has. */
class ForgettingBlocked extends GuestBlocker {
  protected override *acceptBlocked(): Routine<BlockedResult> {
    return Blocked.OK;
  }
}

/** Known wrong orders of host reclaim, one step each. */
export const mutants = {
  'V-28': { blocker: (parts) => new AskingFirst(parts) },
  'V-29': { writer: (parts) => new WritingFirst(parts) },
  'V-30': { loader: (parts) => new CountingDownFirst(parts) },
  'V-31': { faults: (parts) => new MappingFirst(parts) },
  'V-32': { loader: (parts) => new WithoutCookie(parts) },
  'V-33': { blocker: (parts) => new RefusingBlocked(parts) },
  'V-33 forgotten': { blocker: (parts) => new ForgettingBlocked(parts) },
} as const satisfies Readonly<Record<string, OversubRecipes>>;
