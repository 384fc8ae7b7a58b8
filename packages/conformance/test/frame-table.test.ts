import type { ListId, ModeId, PageIndex } from '@epckit/interface';
import { op } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import type { SectionShape } from '../src/index.js';
import { frameTableCases } from '../src/index.js';
import { expectEachCaseToFail, failuresOf } from './kits.js';
import { PlainFrames } from './plain-frames.js';

const broken: Record<string, new (sections: readonly SectionShape[]) => PlainFrames> = {
  'takes every page for one of the first section': class extends PlainFrames {
    override section(): number {
      return 0;
    }
  },
  'begins with owners': class extends PlainFrames {
    override kind(page: PageIndex): number {
      return super.kind(page) + 1;
    }
  },
  'forgets records': class extends PlainFrames {
    override record(): number {
      return 0;
    }
  },
  'cures poison': class extends PlainFrames {
    override setFlags(page: PageIndex, flags: number): void {
      super.setFlags(page, flags);
      (this.frames[page] as { poisoned: boolean }).poisoned = false;
    }
  },
  'peeks at nothing': class extends PlainFrames {
    override peekFlags(): number {
      return 0;
    }
  },
  'has room for 256 groups': class extends PlainFrames {
    override setGroup(page: PageIndex, group: number): void {
      super.setGroup(page, group & 0xff);
    }
  },
  'does not count owners as changes': class extends PlainFrames {
    override setOwner(page: PageIndex, kind: number, owner: number, record: number): void {
      const { changes } = this;
      super.setOwner(page, kind, owner, record);
      this.changes = changes;
    }
  },
  'announces poison as flags': class extends PlainFrames {
    override poisonAt(page: PageIndex, mode: ModeId): number {
      return this.flagsAt(page, mode);
    }
  },
  'always announces a read': class extends PlainFrames {
    override flagsAt(page: PageIndex): number {
      return op(100 + page, 0);
    }
  },
  'numbers lists from 2': class extends PlainFrames {
    constructor(sections: readonly SectionShape[]) {
      super(sections);
      super.createList('hidden');
    }
  },
  'prepends at the tail': class extends PlainFrames {
    override prepend(list: ListId, page: PageIndex): void {
      this.append(list, page);
    }
  },
  'unlinks the head': class extends PlainFrames {
    override unlink(page: PageIndex): void {
      super.unlink(this.first(this.listOf(page)));
    }
  },
  'links a page twice': class extends PlainFrames {
    protected override link(): void {
      this.changes++;
    }
  },
  'unlinks what is on no list': class extends PlainFrames {
    override unlink(page: PageIndex): void {
      if (this.listOf(page) !== 0) super.unlink(page);
    }
  },
  'links all pages although some are linked': class extends PlainFrames {
    override appendAll(list: ListId): void {
      this.pages(list).push(...this.frames.keys());
    }
  },
  'splices to the tail': class extends PlainFrames {
    override spliceToHead(from: ListId, to: ListId): void {
      this.pages(to).push(...this.pages(from).splice(0));
    }
  },
};

describe('frameTableCases', () => {
  const sound = frameTableCases((sections) => new PlainFrames(sections));
  const brokenCases = Object.entries(broken).map(
    ([name, Frames]) => [name, frameTableCases((sections) => new Frames(sections))] as const,
  );

  it('passes a sound table', () => {
    expect(failuresOf(sound)).toEqual([]);
  });

  it.each(brokenCases)('fails a table that %s', (_, cases) => {
    expect(failuresOf(cases)).not.toEqual([]);
  });

  it('has no case that cannot fail', () => {
    expectEachCaseToFail(
      sound,
      brokenCases.map(([, cases]) => cases),
    );
  });
});
