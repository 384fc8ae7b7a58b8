import { evictionPolicyCases } from '@epckit/conformance';
import type { EvictionPolicy } from '@epckit/interface';

/** Last in, first out: a poor policy, but one that keeps the contract. */
function newestFirst(): EvictionPolicy {
  let pages: number[] = [];
  return {
    insert: (page) => void pages.push(page),
    remove: (page) => {
      pages = pages.filter((other) => other !== page);
    },
    isolate(victims, max) {
      let count = 0;
      while (count < max && pages.length > 0) victims[count++] = pages.pop() as number;
      return count;
    },
    // At the other end, so that every page gets its turn.
    putBack: (page) => void pages.unshift(page),
    isEmpty: () => pages.length === 0,
    oldest: () => pages.at(-1) ?? -1,
    after: (page) => pages[pages.indexOf(page) - 1] ?? -1,
  };
}

const cases = evictionPolicyCases(newestFirst);
for (const { run } of cases) run();
console.log(`${cases.length} cases passed, such as "${cases[2]?.name}"`);
