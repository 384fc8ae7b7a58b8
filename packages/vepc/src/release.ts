import type { PageIndex, Routine, Thread } from '@epckit/interface';
import { MisuseError, NONE } from '@epckit/interface';
import type { VepcPages } from './pages.js';
import type { Vepc } from './vepc.js';
import type { ZombieSecs } from './zombies.js';

/** What a releaser works with. */
export interface VepcReleaserParts {
  /** Frees guest pages. */
  readonly pages: VepcPages;
  /** SECS pages that cannot go yet. */
  readonly zombies: ZombieSecs;
  /** Called last: the driver does not know the instance any more. */
  forget(vepc: Vepc): void;
}

/**
 * Gives everything back when the last descriptor is closed (Linux `sgx_vepc_release`). The host does not know
 * which page is a SECS, so it finds out by trial: children first, wherever they are, then the SECS pages.
 */
export class VepcReleaser {
  /** What the releaser works with. */
  protected readonly parts: VepcReleaserParts;

  constructor(parts: VepcReleaserParts) {
    this.parts = parts;
  }

  /** A mapping holds the file, so nobody else can reach the instance any more. */
  *release(thread: Thread, vepc: Vepc): Routine<void> {
    requireUnmapped(vepc);
    vepc.isReleased = true;
    yield* this.giveBack(thread, vepc);
  }

  /** Three passes. */
  *giveBack(thread: Thread, vepc: Vepc): Routine<void> {
    yield* this.freeChildren(thread, vepc);
    const left = yield* this.freeSecs(thread, vepc);
    yield* this.parts.zombies.retry(thread, left);
    this.parts.forget(vepc);
  }

  /** Pass 1: frees what it can; a SECS with children anywhere stays. */
  protected *freeChildren(thread: Thread, { pages }: Vepc): Routine<void> {
    for (let index = pages.next(0); index !== NONE; index = pages.next(index + 1)) {
      if ((yield* this.parts.pages.free(thread, pages.get(index))) === 0) pages.erase(index);
    }
  }

  /** Pass 2: frees the SECS pages whose children were here. @returns those that have children elsewhere */
  protected *freeSecs(thread: Thread, { pages }: Vepc): Routine<PageIndex[]> {
    const left: PageIndex[] = [];
    for (let index = pages.next(0); index !== NONE; index = pages.next(index + 1)) {
      const page = pages.get(index);
      if ((yield* this.parts.pages.free(thread, page)) !== 0) left.push(page);
      pages.erase(index);
    }
    return left;
  }
}

/** @throws MisuseError if something maps the file, or it is closed already */
export function requireUnmapped(vepc: Vepc): void {
  if (vepc.isReleased) throw new MisuseError(`Instance ${vepc.id} is released already.`);
  const mms = vepc.addressSpaces();
  if (mms.length === 0) return;
  throw new MisuseError(
    'An instance is released when nothing maps it any more.',
    [`instance: ${vepc.id}`, `address spaces with a page table of it: ${mms.map(({ id }) => id).join(', ')}`],
    { hint: 'Unmap every range and forget the page tables first.' },
  );
}
