import type { LeafResult, Routine } from '@epckit/interface';
import { Errno, LeafFault, NONE, SgxCode } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import { Eviction } from '../../src/index.js';
import { EvictableVersions } from '../../src/recipes.js';
import { Guest } from './guest.js';
import { GuestStack } from './guest-stack.js';
import type { PlannedLeaf } from './version-host.js';
import { VersionHost } from './version-host.js';
import { everyWindow } from './windows.js';

const often = (result: LeafResult): LeafResult[] => Array.from({ length: 20 }, () => result);
/** Counts of the host's version array pages, in short. */
const figures = (host: VersionHost) => {
  const { resident, peak, evicted, evictions, loads } = host.stack.oversub.versions.counts(
    host.stack.instance(host.vepc),
  );
  return { resident, peak, evicted, evictions, loads };
};

describe('version array pages that can be evicted', () => {
  it('are a path from the root to the first leaf in the beginning', () => {
    const host = new VersionHost();
    expect(figures(host)).toEqual({ resident: 4, peak: 4, evicted: 0, evictions: 0, loads: 0 });
    expect(host.stack.pools.free).toBe(64 - 16 - 4);
    expect(host.violations()).toEqual([]);
  });

  it('are made one leaf ahead, and none leaves the EPC while there are free pages and the share is not used up', () => {
    const host = new VersionHost();
    const evict = (page: number) => {
      expect(host.evict(page)).toBe(Eviction.EVICTED);
      return host.tree.leaves().length;
    };
    expect([0, 1, 2, 3, 4, 5, 6].map(evict)).toEqual([1, 2, 2, 3, 3, 4, 4]);
    expect(figures(host)).toEqual({ resident: 8, peak: 8, evicted: 0, evictions: 0, loads: 0 });
    expect(host.stack.pools.free).toBe(64 - 16 - 8 + 7);
    // Eight leaves would be all of fixed arrays. The next one needs two pages above it: full leaves go.
    expect(evict(7)).toBe(3);
    expect(figures(host)).toEqual({ resident: 8, peak: 8, evicted: 3, evictions: 3, loads: 0 });
    expect(host.violations()).toEqual([]);
  });

  it('make room for each other: everything goes out without a free page, and comes back with one', () => {
    const host = new VersionHost({ checking: true });
    host.hog();
    expect(host.evictAll()).toEqual([]);
    const { resident, peak, evicted, evictions } = figures(host);
    expect([resident + evicted, peak]).toEqual([15, 4]);
    expect(evictions).toBeGreaterThan(8);
    expect(host.violations()).toEqual([]);
    for (let page = 0; page < 16; page++) {
      host.unhog(1);
      expect([page, host.touch(page)]).toEqual([page, true]);
      expect([page, ...host.violations()]).toEqual([page]);
      host.hog();
    }
    expect(figures(host).peak).toBe(4);
    expect(figures(host).loads).toBeGreaterThan(8);
    // What was in the slots is the guest's own version array pages.
    for (let page = 0; page < 16; page++) {
      const { type, isValid } = { ...host.stack.hardware.entry(host.vepc.pages.get(page)), isValid: true };
      expect([isValid, type]).toEqual([true, 3]);
    }
    host.unhog();
    host.stack.end();
    expect([host.stack.pools.free, host.stack.violations()]).toEqual([64, []]);
  });

  it('never have more EPC than fixed ones would', () => {
    const host = new VersionHost({ epcPages: 128 }, 16);
    for (let round = 0; round < 3; round++) {
      for (let page = 0; page < 16; page++) expect(host.evict(page)).toBe(Eviction.EVICTED);
      for (let page = 15; page >= 0; page--) expect(host.touch(page)).toBe(true);
    }
    const { peak, evictions } = figures(host);
    expect(peak).toBe(8);
    expect(evictions).toBeGreaterThan(0);
    expect(host.violations()).toEqual([]);
  });

  it('leave with the last one below them, and shrink to one path', () => {
    const host = new VersionHost();
    for (let page = 0; page < 16; page++) expect(host.evict(page)).toBe(Eviction.EVICTED);
    expect(host.stack.shrink()).toBeGreaterThan(0);
    expect(figures(host)).toMatchObject({ resident: 4, evicted: 11 });
    expect(host.violations()).toEqual([]);
    expect(host.stack.shrink()).toBe(0);
  });

  it('go for a fault when there are more of them than data pages and nothing else is left', () => {
    const host = new VersionHost();
    for (let page = 0; page < 16; page++) host.evict(page);
    expect(figures(host).resident).toBe(8);
    host.hog();
    const { evictions } = figures(host);
    expect(host.touch(3)).toBe(true);
    expect(figures(host).evictions).toBeGreaterThan(evictions);
    expect(host.violations()).toEqual([]);
  });

  it.each([Errno.EBUSY, Errno.ENOMEM, Errno.ERESTARTSYS])(
    'go if EPC is wanting, and not for a signal: error %i',
    (error) => {
      const host = new VersionHost();
      const { stack } = host;
      for (let page = 0; page < 16; page++) host.evict(page);
      host.hog();
      const { evictions } = figures(host);
      const { allocator } = stack;
      const alloc = allocator.alloc.bind(allocator);
      let count = 0;
      allocator.alloc = function* (...request): Routine<number> {
        return count++ === 0 ? -error : yield* alloc(...request);
      };
      host.touch(3);
      expect(figures(host).evictions > evictions).toBe(error !== Errno.ERESTARTSYS);
    },
  );

  it('are taken from after pages were dropped whose versions they have', () => {
    const host = new VersionHost();
    expect(host.evictAll()).toEqual([]);
    host.stack.shrink();
    const { stack, vepc } = host;
    expect(stack.run(stack.driver.removeAll.run(stack.thread(), vepc))).toBe(0);
    expect(host.violations()).toEqual([]);
    host.unhog();
    const guest = Array.from({ length: 16 }, (_, page) => host.touch(page));
    expect(guest).not.toContain(false);
    const { loads } = figures(host);
    // Unused pages need no slot; the guest makes something of them first.
    for (let page = 0; page < 16; page++) stack.hardware.epa(0, vepc.pages.get(page));
    for (let page = 0; page < 16; page++) expect([page, host.evict(page)]).toEqual([page, Eviction.EVICTED]);
    expect(figures(host).loads).toBeGreaterThan(loads);
    expect(host.violations()).toEqual([]);
    for (let page = 0; page < 16; page++) expect(host.touch(page)).toBe(true);
    stack.end();
    expect([stack.pools.free, stack.violations()]).toEqual([64, []]);
  });
});

describe('a large instance', () => {
  // 65,536 pages, 128 leaves of 512 slots.
  it.each([
    [500, 3],
    [3000, 8],
  ])('with %i evicted pages has %i version array pages instead of 128', (evicted, resident) => {
    const host = new VersionHost({ versionSlots: 512, epcPages: 4096 }, 0);
    const { stack } = host;
    const vepc = stack.section(65_536);
    const guest = new Guest(stack);
    for (let page = 0; page < evicted; page++) {
      stack.run(guest.epa(stack.thread(), { vepc, page }));
      expect(stack.evict({ vepc, page })).toBe(Eviction.EVICTED);
    }
    const counts = stack.oversub.versions.counts(stack.instance(vepc));
    expect(counts).toEqual({ resident, peak: resident, evicted: 0, evictions: 0, loads: 0 });
    expect(stack.shrink()).toBe(resident - 2);
  });
});

describe('without a page for them', () => {
  it('mmap fails, and is as if it had not been', () => {
    for (const epcPages of [1, 2, 3]) {
      const stack = new GuestStack({ versionSlots: 2, epcPages });
      expect(() => stack.section(16)).toThrow(`mmap: ${-Errno.ENOMEM}`);
      expect([stack.pools.free, stack.violations()]).toEqual([epcPages, []]);
    }
  });

  it('a page that must stay is written later', () => {
    const host = new VersionHost();
    host.hog();
    // Memory errors in all leaves: none may go, and none has room in the end.
    expect(host.evict(0)).toBe(Eviction.EVICTED);
    host.hog();
    host.stack.frames.setPoisoned(host.tree.page(0));
    expect(host.evict(1)).toBe(Eviction.EVICTED);
    host.hog();
    expect(host.evict(2)).toBe(Eviction.BUSY);
    expect(host.violations()).toEqual([]);
    host.unhog(1);
    expect([2, 3].map((page) => host.evict(page))).toEqual([Eviction.EVICTED, Eviction.EVICTED]);
    host.hog();
    // Two pages are needed above and for the next leaf, and only one can go.
    expect(host.evict(4)).toBe(Eviction.BUSY);
    host.unhog();
    for (let page = 4; page < 16; page++) expect([page, host.evict(page)]).toEqual([page, Eviction.EVICTED]);
    expect(host.tree.page(0)).not.toBe(NONE);
    expect(host.violations()).toEqual([]);
  });

  it('a node with a memory error stays, too', () => {
    const host = new VersionHost();
    const node = host.tree.shape.parent(0);
    host.stack.frames.setPoisoned(host.tree.page(node));
    for (let page = 0; page < 16; page++) expect(host.evict(page)).toBe(Eviction.EVICTED);
    expect(host.stack.shrink()).toBeGreaterThan(0);
    expect(host.tree.page(node)).not.toBe(NONE);
    expect(host.tree.isIdle(node)).toBe(false);
    expect(host.violations()).toEqual([]);
  });

  it('a backing page that cannot be had keeps them in the EPC', () => {
    let mayAllocate = true;
    const host = new VersionHost({ mayAllocate: () => mayAllocate });
    expect(host.evictAll()).toEqual([]);
    mayAllocate = false;
    const { resident } = figures(host);
    host.stack.shrink();
    expect(figures(host).resident).toBe(resident);
    mayAllocate = true;
    host.unhog(2);
    expect(host.touch(0)).toBe(true);
    expect(host.violations()).toEqual([]);
  });
});

interface Refusal {
  readonly leaf: PlannedLeaf;
  readonly results: readonly LeafResult[];
  /** Can the page that needs it go or come? */
  readonly isDone: boolean;
  readonly isDead?: boolean;
}

const { EPC_PAGE_CONFLICT } = SgxCode;

describe('a leaf on one of them that fails', () => {
  const writes: readonly Refusal[] = [
    { leaf: 'ewb', results: [LeafFault.GP], isDone: false },
    { leaf: 'ewb', results: [EPC_PAGE_CONFLICT], isDone: false },
    { leaf: 'ewb', results: [LeafFault.PF], isDone: false, isDead: true },
    { leaf: 'ewb', results: [SgxCode.VA_SLOT_OCCUPIED], isDone: false, isDead: true },
    { leaf: 'epa', results: [LeafFault.PF], isDone: false, isDead: true },
  ];
  it.each(writes)('while a page is written: $leaf $results', ({ leaf, results, isDone, isDead = false }) => {
    const host = new VersionHost();
    host.hog();
    expect(host.evictAll(2)).toEqual([]);
    host.planned.set(leaf, [...results]);
    expect(host.evict(2) === Eviction.EVICTED).toBe(isDone);
    expect(host.stack.instance(host.vepc).isDead).toBe(isDead);
    expect(host.violations()).toEqual([]);
    if (!isDead) expect(host.evict(2)).toBe(Eviction.EVICTED);
    host.unhog();
    host.stack.end();
    expect([host.stack.pools.free, host.stack.violations()]).toEqual([64, []]);
  });

  const loads: readonly Refusal[] = [
    { leaf: 'elduc', results: [EPC_PAGE_CONFLICT], isDone: true },
    // The fault reclaims and starts again.
    { leaf: 'elduc', results: often(EPC_PAGE_CONFLICT), isDone: true },
    { leaf: 'elduc', results: [SgxCode.MAC_COMPARE_FAIL], isDone: false, isDead: true },
    { leaf: 'ewb', results: often(LeafFault.GP).slice(0, 2), isDone: true },
  ];
  it.each(loads)('while a page is loaded: $leaf $results.0', ({ leaf, results, isDone, isDead = false }) => {
    const host = new VersionHost();
    for (let page = 0; page < 15; page++) expect(host.evict(page)).toBe(Eviction.EVICTED);
    host.stack.shrink();
    host.planned.set(leaf, [...results]);
    expect(host.touch(0)).toBe(isDone);
    expect(host.stack.instance(host.vepc).isDead).toBe(isDead);
    expect(host.violations()).toEqual([]);
    host.stack.end();
    expect([host.stack.pools.free, host.stack.violations()]).toEqual([64, []]);
  });

  it('while the file is mapped', () => {
    const host = new VersionHost();
    host.planned.set('epa', [LeafFault.PF]);
    expect(() => host.stack.section(4)).toThrow(`mmap: ${-Errno.EFAULT}`);
    host.stack.end();
    expect([host.stack.pools.free, host.stack.violations()]).toEqual([64, []]);
  });
});

describe('what happens to a VM whose version array pages are out of the EPC', () => {
  it('a loss of power forgets them', () => {
    const host = new VersionHost();
    expect(host.evictAll()).toEqual([]);
    const { stack, vepc } = host;
    stack.hardware.powerCycle();
    stack.run(stack.oversub.resume.run(stack.thread(), vepc));
    expect(figures(host)).toMatchObject({ evicted: 0 });
    expect(host.violations()).toEqual([]);
    host.unhog();
    for (let round = 0; round < 2; round++) {
      for (let page = 0; page < 16; page++) expect(host.touch(page)).toBe(true);
      for (let page = 0; page < 16; page++) stack.hardware.epa(0, vepc.pages.get(page));
      expect(host.evictAll()).toEqual([]);
      expect(host.violations()).toEqual([]);
      host.unhog();
    }
  });

  it('the last close gives everything back', () => {
    const host = new VersionHost();
    host.evictAll();
    host.unhog();
    const { stack } = host;
    stack.end();
    expect([stack.pools.free, stack.violations(), stack.driver.instances()]).toEqual([64, [], []]);
  });

  it('there are none after its end, while the file is still open', () => {
    const host = new VersionHost();
    host.evictAll();
    expect(figures(host).evicted).toBeGreaterThan(0);
    host.unhog();
    const { stack, vepc } = host;
    stack.run(stack.oversub.enabler.disable(stack.thread(), vepc));
    expect(figures(host)).toMatchObject({ resident: 0, evicted: 0 });
    stack.close(vepc);
    expect([stack.pools.free, stack.violations()]).toEqual([64, []]);
  });

  it('its end may come at every point of an eviction that makes room first (S-15)', () => {
    let stolen = 0;
    let unhog = () => {};
    const count = everyWindow(
      () => {
        const host = new VersionHost({ checking: true });
        const { stack, vepc } = host;
        host.hog();
        host.evictAll(2);
        const thread = stack.thread(-1);
        const end = stack.oversub.enabler.disable(stack.thread(), vepc);
        const routine = stack.oversub.evict(thread, { vepc, page: 2 });
        unhog = () => host.unhog();
        return { stack, first: { thread, routine }, second: { thread: stack.thread(), routine: end } };
      },
      ({ stack }) => {
        unhog();
        stolen += stack.versionCounts().evictions;
        for (const vepc of stack.sections) stack.close(vepc);
        expect([stack.pools.free, stack.violations()]).toEqual([64, []]);
      },
    );
    expect(count).toBeGreaterThan(20);
    expect(stolen).toBeGreaterThan(0);
  });

  it('two faults may come at every point of each other', () => {
    const count = everyWindow(
      () => {
        const host = new VersionHost({ checking: true });
        const { stack, vepc } = host;
        host.evictAll();
        host.unhog(2);
        const fault = (cpu: number, page: number) => ({
          thread: stack.thread(cpu),
          routine: stack.oversub.violation(stack.thread(cpu), stack.mm, vepc, page),
        });
        return { stack, first: fault(0, 0), second: fault(1, 9) };
      },
      ({ stack }) => {
        const [vepc] = stack.sections;
        expect([0, 9].map((page) => (vepc?.pages.get(page) ?? NONE) >= 0)).toEqual([true, true]);
        expect(stack.versionCounts().loads).toBeGreaterThan(0);
      },
    );
    expect(count).toBeGreaterThan(10);
  });
});

it('an instance has one policy for all its version array pages', () => {
  expect(new VersionHost().stack.oversub.versions).toBeInstanceOf(EvictableVersions);
  const fixed = new VersionHost({ versionSlots: undefined as never });
  expect(figures(fixed)).toEqual({ resident: 1, peak: 1, evicted: 0, evictions: 0, loads: 0 });
  expect(fixed.stack.shrink()).toBe(0);
});
