import { createFrameTable } from '@epckit/frames';
import { Verdict } from '@epckit/interface';
import { createMachine } from '@epckit/machine';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { secondChance } from '../src/index.js';

const PAGES = 12;

type Command =
  | { readonly do: 'insert' | 'remove' | 'putBack'; readonly page: number }
  | { readonly do: 'isolate'; readonly max: number };

const command: fc.Arbitrary<Command> = fc.oneof(
  fc.record({
    do: fc.constantFrom('insert' as const, 'insert' as const, 'remove' as const, 'putBack' as const),
    page: fc.nat(PAGES - 1),
  }),
  fc.record({ do: fc.constant('isolate' as const), max: fc.nat(5) }),
);

it('second chance behaves like an array: in at the end, out at the front', () => {
  fc.assert(
    fc.property(fc.array(command, { maxLength: 80 }), (commands) => {
      const { objects } = createMachine({ cpus: [{ node: 0 }] });
      const frames = createFrameTable(
        { sections: [{ node: 0, pageCount: PAGES }] },
        { objects, monitor: null },
      );
      const policy = secondChance()({ frames });
      const listed: number[] = [];
      const isolated = new Set<number>();
      for (const it of commands) {
        if (it.do === 'isolate') {
          const victims = new Int32Array(8).fill(-1);
          const taken = listed.splice(0, it.max);
          expect(policy.isolate(victims, it.max)).toBe(taken.length);
          expect([...victims]).toEqual([...taken, ...Array(8 - taken.length).fill(-1)]);
          for (const page of taken) isolated.add(page);
        } else if (it.do === 'putBack' && isolated.delete(it.page)) {
          policy.putBack(it.page, Verdict.YOUNG);
          listed.push(it.page);
        } else if (it.do === 'remove' && listed.includes(it.page)) {
          policy.remove(it.page);
          listed.splice(listed.indexOf(it.page), 1);
        } else if (it.do === 'insert' && !listed.includes(it.page) && !isolated.has(it.page)) {
          policy.insert(it.page);
          listed.push(it.page);
        }
        const walk: number[] = [];
        for (let page = policy.oldest(); page >= 0; page = policy.after(page)) walk.push(page);
        expect([walk, policy.isEmpty()]).toEqual([listed, listed.length === 0]);
      }
    }),
  );
});
