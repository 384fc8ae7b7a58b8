import type { LeafResult } from '@epckit/interface';
import { Cost, Errno, LeafFault, Mode, op, SgxCode } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import { createBackingStore, createVersionSlots } from '../src/index.js';
import { LoadBack, LoadBackKeeping } from '../src/recipes.js';
import { drive, loggingProbe, soleThread } from './drive.js';
import { scriptedHardware } from './scripted-hardware.js';

const stored = { contents: 505, secinfo: 0x203, enclaveId: 1, linearPage: 5, macLow: 1, macHigh: 2 };

/** Page 5 is out, its version in slot 0 of the last of two version array pages. */
function setUp(results: LeafResult[], Recipe: typeof LoadBack = LoadBack) {
  const log: string[] = [];
  const thread = soleThread();
  const probe = loggingProbe(log);
  const slots = createVersionSlots();
  slots.addPage(2);
  slots.take();
  slots.addPage(3);
  let memory = true;
  const backing = createBackingStore({ pageCount: 64, mayAllocate: () => memory }, { probe, owner: 1 });
  drive(backing.reserve(thread, 5));
  backing.store(5, stored);
  const hardware = scriptedHardware(results, log);
  const busy = new Set<number>();
  const loader = new Recipe({ hardware, probe, slots, backing, isBeingWritten: (i) => busy.has(i) });
  const load = (): number => drive(loader.load(thread, 30, 1, 5, 0)).result;
  const exhaustMemory = (): void => {
    memory = false;
  };
  return { log, thread, slots, backing, loader, load, busy, exhaustMemory };
}

describe('load-back', () => {
  it('loads, drops the backing pages, frees the slot and moves its page to the front', () => {
    const { log, load, slots } = setUp([0]);
    expect(load()).toBe(0);
    expect(log).toEqual(['ELDU(30, 1, 2:0, 505) 0', 'drop 5', 'drop 65']);
    expect([...slots.pages()]).toEqual([
      { index: 0, page: 2, used: 0 },
      { index: 1, page: 3, used: 0 },
    ]);
  });

  it('keeps the PCMD page while a sibling is being written', () => {
    const { log, load, busy } = setUp([0]);
    busy.add(9);
    load();
    expect(log).toEqual(['ELDU(30, 1, 2:0, 505) 0', 'drop 5']);
  });

  it('drops the backing pages of a failed load too; the slot stays taken and the next load reads zeros', () => {
    const { log, load, slots, backing } = setUp([SgxCode.MAC_COMPARE_FAIL, LeafFault.GP]);
    expect(load()).toBe(SgxCode.MAC_COMPARE_FAIL);
    expect(load()).toBe(LeafFault.GP);
    expect(log).toEqual([
      'ELDU(30, 1, 2:0, 505) 9',
      'warn __sgx_encl_eldu',
      'drop 5',
      'drop 65',
      `ELDU(30, 1, 2:0, 0) ${LeafFault.GP}`,
      'warn __sgx_encl_eldu',
      'drop 5',
      'drop 65',
    ]);
    expect([...slots.pages()].map((page) => page.used)).toEqual([0, 1]);
    expect(backing.presentPages()).toEqual([]);
  });

  it('keeps the backing pages of a failed load when repaired (L-03)', () => {
    const { log, load } = setUp([SgxCode.MAC_COMPARE_FAIL, 0], LoadBackKeeping);
    expect([load(), load()]).toEqual([SgxCode.MAC_COMPARE_FAIL, 0]);
    expect(log.at(-3)).toBe('ELDU(30, 1, 2:0, 505) 0');
  });

  it('changes nothing when the backing pages cannot be got', () => {
    const { log, load, slots, exhaustMemory, thread } = setUp([]);
    exhaustMemory();
    expect(load()).toBe(-Errno.ENOMEM);
    expect(log).toEqual([]);
    expect([...slots.pages()].map((page) => page.used)).toEqual([0, 1]);
    expect(thread.counts[Cost.ELDU]).toBe(0);
  });

  it('stops once, before ELDU, and pays for reading and loading', () => {
    const { thread, loader } = setUp([0]);
    thread.limit = -1;
    expect(drive(loader.load(thread, 30, 1, 5, 0)).stops).toEqual([op(1030, Mode.LEAF)]);
    expect([thread.counts[Cost.BACKING_OLD], thread.counts[Cost.ELDU]]).toEqual([1, 1]);
  });
});

describe('order mutant', () => {
  it('O-11: the slot is free before ELDU, so that a failed load leaves it to somebody else', () => {
    const SlotFirst = class extends LoadBack {
      protected override eldu(...[thread, target, secs, slot]: Parameters<LoadBack['eldu']>): LeafResult {
        this.slots.releaseLoaded(slot);
        return super.eldu(thread, target, secs, slot);
      }
    };
    const { load, slots } = setUp([SgxCode.MAC_COMPARE_FAIL], SlotFirst);
    load();
    expect(slots.take()).toBe(0);
  });
});
