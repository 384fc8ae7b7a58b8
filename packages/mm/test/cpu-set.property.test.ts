import type { CpuSet } from '@epckit/interface';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createCpuSet } from '../src/index.js';

const CPUS = 100;
const cpu = fc.integer({ min: 0, max: CPUS - 1 });

function membersOf(set: CpuSet): number[] {
  const members: number[] = [];
  for (let at = set.next(0); at >= 0; at = set.next(at + 1)) members.push(at);
  return members;
}

it('a CPU set behaves like a set of numbers', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), cpu)), fc.array(cpu), (steps, others) => {
      const set = createCpuSet(CPUS);
      const model = new Set<number>();
      for (const [isAdded, member] of steps) {
        if (isAdded) model.add(member);
        else model.delete(member);
        set[isAdded ? 'add' : 'delete'](member);
        expect(set.has(member)).toBe(isAdded);
      }
      const other = createCpuSet(CPUS);
      for (const member of others) {
        other.add(member);
        model.add(member);
      }
      set.addAll(other);
      expect(membersOf(set)).toEqual([...model].sort((a, b) => a - b));
      expect(set.size).toBe(model.size);
      set.clear();
      expect([set.size, set.next(0)]).toEqual([0, -1]);
    }),
  );
});
