import type { EvictionPolicy, PageIndex, VerdictId } from '@epckit/interface';
import { Verdict } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import { evictionPolicyCases } from '../src/index.js';
import { expectEachCaseToFail, failuresOf } from './kits.js';

/** First in, first out, in an array. */
class PlainPolicy implements EvictionPolicy {
  protected pages: PageIndex[] = [];

  insert(page: PageIndex): void {
    this.pages.push(page);
  }
  remove(page: PageIndex): void {
    this.pages = this.pages.filter((other) => other !== page);
  }
  isolate(victims: Int32Array, max: number): number {
    const taken = this.pages.splice(0, max);
    victims.set(taken);
    return taken.length;
  }
  putBack(page: PageIndex, _verdict: VerdictId): void {
    this.pages.push(page);
  }
  isEmpty(): boolean {
    return this.pages.length === 0;
  }
  oldest(): PageIndex {
    return this.pages[0] ?? -1;
  }
  after(page: PageIndex): PageIndex {
    return this.pages[this.pages.indexOf(page) + 1] ?? -1;
  }
}

let answers = 0;

const broken: Record<string, new () => PlainPolicy> = {
  'is never empty': class extends PlainPolicy {
    override isEmpty(): boolean {
      return false;
    }
    override isolate(victims: Int32Array, max: number): number {
      return this.pages.length === 0 ? this.#refill(victims) : super.isolate(victims, max);
    }
    #refill(victims: Int32Array): number {
      victims[0] = 0;
      throw new Error('empty');
    }
  },
  'is always empty': class extends PlainPolicy {
    override isEmpty(): boolean {
      return true;
    }
  },
  'gives out copies': class extends PlainPolicy {
    override isolate(victims: Int32Array, max: number): number {
      const [first] = this.pages;
      const count = super.isolate(victims, max);
      if (first !== undefined && this.pages.length === 0 && count < max) victims[count] = first;
      return first !== undefined && count < max ? count + 1 : count;
    }
  },
  'gives out one at a time': class extends PlainPolicy {
    override isolate(victims: Int32Array, max: number): number {
      return super.isolate(victims, Math.min(max, 1));
    }
  },
  'forgets to remove': class extends PlainPolicy {
    override remove(): void {}
  },
  'loses busy pages': class extends PlainPolicy {
    override putBack(page: PageIndex, verdict: VerdictId): void {
      if (verdict !== Verdict.BUSY) super.putBack(page, verdict);
    }
  },
  'loses young pages': class extends PlainPolicy {
    override putBack(page: PageIndex, verdict: VerdictId): void {
      if (verdict !== Verdict.YOUNG) super.putBack(page, verdict);
    }
  },
  'gives out the same pages again and again': class extends PlainPolicy {
    override putBack(page: PageIndex): void {
      this.pages.unshift(page);
    }
  },
  'shows another order': class extends PlainPolicy {
    override isolate(victims: Int32Array, max: number): number {
      const taken = this.pages.splice(-max, max);
      victims.set(taken);
      return taken.length;
    }
  },
  'throws dice': class extends PlainPolicy {
    override isolate(victims: Int32Array, max: number): number {
      if (answers++ % 2 === 1) this.pages.reverse();
      return super.isolate(victims, max);
    }
  },
};

describe('evictionPolicyCases', () => {
  const sound = evictionPolicyCases(() => new PlainPolicy());
  const brokenCases = Object.entries(broken).map(
    ([name, Policy]) => [name, evictionPolicyCases(() => new Policy())] as const,
  );

  it('passes a sound policy', () => {
    expect(failuresOf(sound)).toEqual([]);
  });

  it.each(brokenCases)('fails a policy that %s', (_, cases) => {
    expect(failuresOf(cases)).not.toEqual([]);
  });

  it('has no case that cannot fail', () => {
    expectEachCaseToFail(
      sound,
      brokenCases.map(([, cases]) => cases),
    );
  });
});
