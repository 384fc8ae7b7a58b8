import assert from 'node:assert/strict';
import type { EvictionPolicy, PageIndex } from '@epckit/interface';
import { Verdict } from '@epckit/interface';
import type { ConformanceCase } from './case.js';
import { casesOf } from './case.js';

/** Pages that the cases use: `0 … 31`. */
const PAGE_COUNT = 32;
const ascending = (a: number, b: number): number => a - b;
const range = (count: number): PageIndex[] => Array.from({ length: count }, (_, page) => page);

function isolate(policy: EvictionPolicy, max: number): PageIndex[] {
  const victims = new Int32Array(PAGE_COUNT).fill(-7);
  const count = policy.isolate(victims, max);
  assert.ok(count >= 0 && count <= max, `isolate(${max}) returned ${count}`);
  assert.ok(
    victims.subarray(count).every((page) => page === -7),
    'isolate wrote beyond its count',
  );
  return [...victims.subarray(0, count)];
}

function walk(policy: EvictionPolicy): PageIndex[] {
  const pages: PageIndex[] = [];
  for (let page = policy.oldest(); page !== -1; page = policy.after(page)) {
    pages.push(page);
    assert.ok(pages.length <= PAGE_COUNT, 'the walk does not end');
  }
  return pages;
}

/**
 * Kit for `EvictionPolicy`. No case asks which of several pages is the better victim: that is what policies
 * differ in.
 *
 * @param make - a policy without pages, for pages `0 … pageCount-1`
 */
export function evictionPolicyCases(make: (pageCount: number) => EvictionPolicy): ConformanceCase[] {
  const filled = (): EvictionPolicy => {
    const policy = make(PAGE_COUNT);
    for (const page of range(PAGE_COUNT)) policy.insert(page);
    return policy;
  };
  return [
    ...casesOf('EvictionPolicy', () => make(PAGE_COUNT), {
      'has no page at first': (policy) => {
        assert.equal(policy.isEmpty(), true);
        assert.deepEqual(isolate(policy, 16), []);
        assert.equal(policy.oldest(), -1);
      },
      'is not empty as soon as a page is reclaimable': (policy) => {
        policy.insert(5);
        assert.equal(policy.isEmpty(), false);
        assert.equal(policy.oldest(), 5);
        assert.equal(policy.after(5), -1);
      },
    }),
    ...casesOf('EvictionPolicy', filled, {
      'gives out every page exactly once': (policy) => {
        const victims: PageIndex[] = [];
        while (!policy.isEmpty()) victims.push(...isolate(policy, 16));
        assert.deepEqual(victims.sort(ascending), range(PAGE_COUNT));
        assert.deepEqual(isolate(policy, 16), []);
      },
      'gives out as many as wanted, or all that there are': (policy) => {
        for (const [max, expected] of [
          [0, 0],
          [1, 1],
          [30, 30],
          [16, 1],
        ] as const) {
          assert.equal(isolate(policy, max).length, expected);
        }
      },
      'never gives out a page that was removed': (policy) => {
        for (const page of [0, 13, 31]) policy.remove(page);
        const victims = isolate(policy, PAGE_COUNT);
        assert.deepEqual(
          victims.sort(ascending),
          range(PAGE_COUNT).filter((page) => ![0, 13, 31].includes(page)),
        );
      },
      'takes back pages that stay, whatever their verdict': (policy) => {
        const victims = isolate(policy, 3);
        const verdicts = [Verdict.YOUNG, Verdict.BUSY, Verdict.KEPT];
        for (const [i, page] of victims.entries()) policy.putBack(page, verdicts[i] as 1 | 2 | 4);
        assert.deepEqual(isolate(policy, PAGE_COUNT).sort(ascending), range(PAGE_COUNT));
      },
      'lets a page that was put back be removed': (policy) => {
        const [page] = isolate(policy, 1) as [PageIndex];
        policy.putBack(page, Verdict.YOUNG);
        policy.remove(page);
        assert.equal(isolate(policy, PAGE_COUNT).includes(page), false);
      },
      'loses no page over many batches that evict nothing': (policy) => {
        for (let batch = 0; batch < 20; batch++) {
          for (const page of isolate(policy, 16)) policy.putBack(page, Verdict.YOUNG);
        }
        assert.deepEqual(walk(policy).sort(ascending), range(PAGE_COUNT));
        assert.deepEqual(isolate(policy, PAGE_COUNT).sort(ascending), range(PAGE_COUNT));
      },
      'comes to every page sooner or later': (policy) => {
        const seen = new Set<PageIndex>();
        for (let batch = 0; batch < 1000 && seen.size < PAGE_COUNT; batch++) {
          for (const page of isolate(policy, 16)) {
            seen.add(page);
            policy.putBack(page, Verdict.YOUNG);
          }
        }
        assert.equal(seen.size, PAGE_COUNT);
      },
      'shows its pages in the order in which it gives them out': (policy) => {
        const order = walk(policy);
        assert.deepEqual(order.toSorted(ascending), range(PAGE_COUNT));
        assert.deepEqual(isolate(policy, 16), order.slice(0, 16));
        assert.deepEqual(walk(policy), order.slice(16));
      },
      'decides the same when it is asked the same': (policy) => {
        const twin = filled();
        for (let batch = 0; batch < 10; batch++) {
          const victims = isolate(policy, 5);
          assert.deepEqual(isolate(twin, 5), victims);
          for (const page of victims.filter((page) => page % 3 !== 0)) {
            policy.putBack(page, Verdict.YOUNG);
            twin.putBack(page, Verdict.YOUNG);
          }
        }
      },
    }),
  ];
}
