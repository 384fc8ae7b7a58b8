import type { PagingBlob } from '@epckit/interface';
import { Cost, Errno, Mode, opMode } from '@epckit/interface';
import { Objects } from '@epckit/machine';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { BackingStoreOptions } from '../src/index.js';
import { createBackingStore } from '../src/index.js';
import { drive, loggingProbe, soleThread } from './drive.js';

const idle = () => false;

const blobOf = (n: number): PagingBlob => ({
  contents: n + 0.5,
  secinfo: 0x203,
  enclaveId: 7,
  linearPage: 2 ** 40 + n,
  macLow: -n - 1,
  macHigh: 2 ** 32 - 1 - n,
});
const zeros: PagingBlob = { contents: 0, secinfo: 0, enclaveId: 0, linearPage: 0, macLow: 0, macHigh: 0 };

function setUp(options: BackingStoreOptions) {
  const log: string[] = [];
  const thread = soleThread();
  const backing = createBackingStore(options, { probe: loggingProbe(log), owner: 1 });
  const evict = (first: number, last = first): void => {
    for (let index = first; index <= last; index++) {
      expect(drive(backing.reserve(thread, index)).result).toBe(0);
      backing.store(index, blobOf(index));
    }
  };
  const fetched = (index: number): PagingBlob => {
    const blob = blobOf(-1);
    expect(backing.fetch(index, blob)).toBe(0);
    return blob;
  };
  return { log, thread, backing, evict, fetched };
}

/** Ascending numbers as runs, the way recorded dumps write them. */
function runs(pages: readonly number[]): string[] {
  const found: [number, number][] = [];
  for (const page of pages) {
    const last = found.at(-1);
    if (last !== undefined && last[1] === page - 1) last[1] = page;
    else found.push([page, page]);
  }
  return found.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`));
}

describe('backing file layout', () => {
  it('has contents first, then the SECS, then one PCMD page per 32 entries', () => {
    const { backing, evict } = setUp({ pageCount: 256 });
    evict(0, 111);
    expect(runs(backing.presentPages())).toEqual(['0-111', '257-260']);
    evict(256);
    expect(runs(backing.presentPages())).toEqual(['0-111', '256-260', '265']);
  });

  it('lets the SECS of a small owner share the PCMD page (recorded: 16 pages, 8 of them and the SECS out)', () => {
    const { backing, evict, log, thread } = setUp({ pageCount: 16 });
    evict(0, 7);
    evict(16);
    expect(runs(backing.presentPages())).toEqual(['0-7', '16-17']);
    backing.truncate(thread, 16, idle);
    expect(log).toEqual(['drop 16']);
    expect(runs(backing.presentPages())).toEqual(['0-7', '17']);
  });

  it('gives back what was stored, and zeros for what was not', () => {
    const { evict, fetched } = setUp({ pageCount: 64 });
    evict(3);
    evict(64);
    expect(fetched(3)).toEqual(blobOf(3));
    expect(fetched(64)).toEqual(blobOf(64));
    expect(fetched(4)).toEqual(zeros);
  });

  it('makes absent pages present when they are looked up', () => {
    const { backing, fetched, thread, log } = setUp({ pageCount: 64 });
    fetched(4);
    expect(backing.presentPages()).toEqual([4, 65]);
    backing.truncate(thread, 4, idle);
    expect(log).toEqual(['drop 4', 'drop 65']);
  });

  it('keeps the SECS of a huge owner in two chunks of its directory', () => {
    const pageCount = 2 ** 27;
    const { backing, evict, fetched } = setUp({ pageCount });
    evict(0);
    evict(pageCount);
    expect(fetched(pageCount)).toEqual(blobOf(pageCount));
    expect(backing.presentPages()).toEqual([0, pageCount, pageCount + 1, pageCount + 1 + 2 ** 22]);
  });
});

describe('truncation', () => {
  it('drops the contents page, and the PCMD page with the last entry of its group', () => {
    const { backing, evict, log, thread } = setUp({ pageCount: 256 });
    evict(0, 127);
    for (let index = 0; index < 32; index++) backing.truncate(thread, index, idle);
    const contents = Array.from({ length: 32 }, (_, i) => `drop ${i}`);
    expect(log).toEqual([...contents, 'drop 257']);
    expect(runs(backing.presentPages())).toEqual(['32-127', '258-260']);
  });

  it('keeps an empty PCMD page while a sibling is between reserve and write', () => {
    const { backing, evict, log, thread } = setUp({ pageCount: 256 });
    evict(35);
    const asked: number[] = [];
    backing.truncate(thread, 35, (index) => {
      asked.push(index);
      return index === 40;
    });
    expect(asked).toEqual([32, 33, 34, 35, 36, 37, 38, 39, 40]);
    expect(log).toEqual(['drop 35']);
    expect(backing.presentPages()).toEqual([258]);
  });

  it('asks nobody while an entry is left', () => {
    const { backing, evict, thread } = setUp({ pageCount: 256 });
    evict(0, 1);
    backing.truncate(thread, 0, () => expect.unreachable());
  });

  it('asks no further than the end of the range, and nobody about a SECS in a group of its own', () => {
    const { backing, evict, thread, log } = setUp({ pageCount: 40 });
    const asked: number[] = [];
    const note = (index: number): boolean => {
      asked.push(index);
      return false;
    };
    evict(33);
    backing.truncate(thread, 33, note);
    expect(asked).toEqual([32, 33, 34, 35, 36, 37, 38, 39]);
    expect(log).toEqual(['drop 33', 'drop 42']);

    const aligned = setUp({ pageCount: 32 });
    aligned.evict(32);
    aligned.backing.truncate(aligned.thread, 32, () => expect.unreachable());
    expect(aligned.log).toEqual(['drop 32', 'drop 34']);
  });

  it('says so when a page was not there', () => {
    const { backing, log, thread } = setUp({ pageCount: 8 });
    backing.truncate(thread, 2, idle);
    expect(log).toEqual(['drop 2 absent', 'drop 9 absent']);
  });

  it('leaves nothing behind that a later page could read', () => {
    const { backing, evict, fetched, thread } = setUp({ pageCount: 256 });
    evict(5);
    backing.truncate(thread, 5, idle);
    expect(fetched(37)).toEqual(zeros);
    expect(fetched(5)).toEqual(zeros);
  });
});

describe('reserving', () => {
  it('fails at the limit; a contents page that was made stays', () => {
    const { backing, evict, thread } = setUp({ pageCount: 64, capacityPages: 3 });
    evict(0);
    expect(drive(backing.reserve(thread, 32)).result).toBe(-Errno.ENOMEM);
    expect(backing.presentPages()).toEqual([0, 32, 65]);
    expect(drive(backing.reserve(thread, 1)).result).toBe(-Errno.ENOMEM);
    backing.truncate(thread, 0, idle);
    expect(drive(backing.reserve(thread, 32)).result).toBe(0);
  });

  it('asks the injection hook for every page that is got, also in a lookup', () => {
    let remaining = 3;
    const { backing, evict, thread } = setUp({ pageCount: 64, mayAllocate: () => remaining-- > 0 });
    evict(0);
    expect(drive(backing.reserve(thread, 1)).result).toBe(-Errno.ENOMEM);
    expect(backing.fetch(0, blobOf(0))).toBe(-Errno.ENOMEM);
    remaining = 2;
    expect(backing.fetch(0, blobOf(0))).toBe(0);
  });

  it('costs more if the contents page has to be made, and stops at one commuting point', () => {
    const thread = soleThread();
    const objects = new Objects();
    const backing = createBackingStore({ pageCount: 8 }, { probe: null, owner: 3, objects });
    thread.limit = -1;
    const { stops } = drive(backing.reserve(thread, 0));
    expect(stops.map(opMode)).toEqual([Mode.ADD]);
    backing.store(0, blobOf(0));
    expect([backing.isFresh(0), backing.isFresh(1)]).toEqual([false, true]);
    // The page stayed in the EPC: what was made for it is there.
    drive(backing.reserve(thread, 0));
    expect([thread.counts[Cost.BACKING_NEW], thread.counts[Cost.BACKING_OLD]]).toEqual([1, 1]);
    // A load has dropped it.
    backing.truncate(thread, 0, idle);
    drive(backing.reserve(thread, 0));
    expect([thread.counts[Cost.BACKING_NEW], thread.counts[Cost.BACKING_OLD]]).toEqual([2, 1]);
  });

  it('tells the monitor of every access, so that one outside the lock is found', () => {
    const seen: number[] = [];
    const monitor = { read: () => {}, write: (object: number) => void seen.push(object), atomic: () => {} };
    const objects = new Objects();
    const backing = createBackingStore({ pageCount: 8 }, { probe: null, owner: 3, objects, monitor });
    const thread = soleThread();
    drive(backing.reserve(thread, 0));
    backing.store(0, blobOf(0));
    backing.fetch(0, blobOf(0));
    backing.truncate(thread, 0, idle);
    backing.close();
    expect(seen.map((object) => objects.nameOf(object))).toEqual(Array(5).fill('backing file 3'));
  });
});

describe('broken contracts', () => {
  it('finds a store whose reserved page is gone', () => {
    const { backing } = setUp({ pageCount: 8 });
    expect(() => backing.store(0, blobOf(0))).toThrow(expect.objectContaining({ code: 'EPCKIT_INVARIANT' }));
  });

  it('finds a page outside of the owner', () => {
    const { backing } = setUp({ pageCount: 8 });
    expect(() => backing.fetch(9, blobOf(0))).toThrow('outside of its owner');
    expect(() => backing.fetch(-1, blobOf(0))).toThrow('outside of its owner');
  });

  it('refuses options that cannot work', () => {
    const components = { probe: null, owner: 1 };
    expect(() => createBackingStore({ pageCount: 0 }, components)).toThrow('positive integer');
    expect(() => createBackingStore({ pageCount: 1, capacityPages: -1 }, components)).toThrow('negative');
  });
});

describe('any sequence of evictions and loads', () => {
  const call = fc.tuple(fc.constantFrom('evict', 'load', 'reserve'), fc.nat(80));

  it('leaves present exactly what evicted and reserved pages need', () => {
    fc.assert(
      fc.property(fc.array(call, { maxLength: 200 }), (calls) => {
        const { backing, evict, fetched, thread } = setUp({ pageCount: 80 });
        const evicted = new Set<number>();
        const reserved = new Set<number>();
        const isReserved = (index: number): boolean => reserved.has(index);
        for (const [what, index] of calls) {
          if (what === 'evict' && !evicted.has(index)) {
            evict(index);
            reserved.delete(index);
            evicted.add(index);
          } else if (what === 'load' && evicted.has(index)) {
            expect(fetched(index)).toEqual(blobOf(index));
            backing.truncate(thread, index, isReserved);
            evicted.delete(index);
          } else if (what === 'reserve' && !evicted.has(index) && index < 80) {
            drive(backing.reserve(thread, index));
            reserved.add(index);
          }
        }
        const inFile = [...evicted, ...reserved].sort((a, b) => a - b);
        const pcmd = new Set(inFile.map((index) => 81 + Math.floor(index / 32)));
        expect(backing.presentPages()).toEqual([...inFile, ...pcmd]);
        backing.close();
        expect(backing.presentPages()).toEqual([]);
      }),
    );
  });
});
