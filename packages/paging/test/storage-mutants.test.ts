import type { PagingBlob } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import { ShmemBacking, VersionArrays } from '../src/recipes.js';
import { drive, soleThread } from './drive.js';

const blob: PagingBlob = { contents: 1, secinfo: 2, enclaveId: 3, linearPage: 4, macLow: 5, macHigh: 6 };
const components = { probe: null, owner: 1 };

describe('B-05: a full version array page is not rotated at once', () => {
  const RotatesLate = class extends VersionArrays {
    override take(): number {
      const cell = this.first;
      return this.slotNumber(cell, this.claim(cell));
    }
  };

  it('takes slot 512 of the first page although the second has free ones', () => {
    const slots = new RotatesLate();
    slots.addPage(1);
    slots.addPage(2);
    for (let i = 0; i < 512; i++) slots.take();
    expect(() => slots.take()).toThrow('from a full version array page');
  });
});

describe('B-36: the PCMD page goes although a sibling is between reserve and write', () => {
  class IgnoresSiblings extends ShmemBacking {
    protected override isGroupBusy(): boolean {
      return false;
    }
  }

  const race = (backing: ShmemBacking): void => {
    const thread = soleThread();
    drive(backing.reserve(thread, 4));
    backing.store(4, blob);
    drive(backing.reserve(thread, 5));
    backing.truncate(thread, 4, (index) => index === 5);
    backing.store(5, blob);
  };

  it('is found when the sibling is stored', () => {
    expect(() => race(new IgnoresSiblings({ pageCount: 32 }, components))).toThrow('What EWB wrote is lost');
    expect(() => race(new ShmemBacking({ pageCount: 32 }, components))).not.toThrow();
  });

  it('leaves a PCMD entry of zeros, as in the kernel, when nobody looks', () => {
    class LosesSilently extends IgnoresSiblings {
      protected override lostWrite(): void {}
    }
    const backing = new LosesSilently({ pageCount: 32 }, components);
    race(backing);
    const read = { ...blob };
    backing.fetch(5, read);
    expect(read).toEqual({ contents: 1, secinfo: 0, enclaveId: 0, linearPage: 0, macLow: 0, macHigh: 0 });
  });
});

describe('B-32: nothing is ever truncated', () => {
  class NeverTruncates extends ShmemBacking {
    override truncate(): void {}
  }

  it('keeps a page for everything that was ever evicted', () => {
    const backing = new NeverTruncates({ pageCount: 32 }, components);
    const thread = soleThread();
    for (let index = 0; index < 32; index++) {
      drive(backing.reserve(thread, index));
      backing.store(index, blob);
      backing.truncate();
    }
    expect(backing.presentPages()).toHaveLength(33);
  });
});
