import { SgxCode } from '@epckit/interface';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { kvmOversub } from '../../src/index.js';
import type { GuestStackOptions } from './guest-stack.js';
import { mutants } from './mutants.js';
import type { Step } from './program.js';
import { building, Program, step } from './program.js';

/** Random steps, half of the time after an enclave was made. */
const program = fc
  .tuple(fc.boolean(), fc.array(step, { minLength: 5, maxLength: 40 }))
  .map(([isBuilt, steps]) => [...(isBuilt ? building : []), ...steps]);

/** Plays steps; `between` may do what it likes to the EPC. Checks every law after every step. */
function play(
  steps: readonly Step[],
  options: GuestStackOptions,
  between: (it: Program, index: number) => void,
): string[] {
  const guest = new Program(options);
  return steps.map((it, index) => {
    const seen = guest.step(it);
    between(guest, index);
    expect([index, seen, ...guest.stack.violations()]).toEqual([index, seen]);
    return seen;
  });
}

const undisturbed = (steps: readonly Step[]) => play(steps, {}, () => {});

describe('eviction is invisible to a guest (S-08)', () => {
  it('when every page that can be is evicted after every step', () => {
    fc.assert(
      fc.property(program, (steps) => {
        const disturbed = play(steps, {}, ({ stack }) => expect(stack.evictAll()).toBe(0));
        expect(disturbed).toEqual(undisturbed(steps));
      }),
      { numRuns: 60 },
    );
  });

  // The windows of the other wrong orders lie within an eviction: see mutants.test.ts.
  it.each(['V-32', 'V-33'] as const)('unless the order is wrong: %s', (name) => {
    const options = { recipes: mutants[name] };
    const property = fc.property(program, (steps) => {
      const disturbed = play(steps, options, ({ stack }) => expect(stack.evictAll()).toBe(0));
      expect(disturbed).toEqual(undisturbed(steps));
    });
    expect(fc.check(property, { numRuns: 60, endOnFailure: true }).failed).toBe(true);
  });

  it('when single pages are evicted at random', () => {
    const choice = fc.record({ it: step, victims: fc.array(fc.nat(23), { maxLength: 4 }) });
    fc.assert(
      fc.property(fc.array(choice, { minLength: 5, maxLength: 40 }), (choices) => {
        const steps = choices.map(({ it }) => it);
        const disturbed = play(steps, { epcPages: 24 }, ({ stack }, index) => {
          for (const page of choices[index]?.victims ?? []) {
            if (stack.frames.flags(page) === 1) stack.evict(stack.placeOf(page));
          }
        });
        expect(disturbed).toEqual(undisturbed(steps));
      }),
      { numRuns: 60 },
    );
  });

  it('when the EPC is smaller than what the guest uses', () => {
    fc.assert(
      fc.property(program, (steps) => {
        expect(play(steps, { epcPages: 8 }, () => {})).toEqual(undisturbed(steps));
      }),
      { numRuns: 60 },
    );
  });

  describe('with version array pages that can be evicted, two slots in each,', () => {
    const evictable = (steps: readonly Step[], options: GuestStackOptions = {}) => {
      const total = { evictions: 0, loads: 0 };
      const seen = play(steps, { versionSlots: 2, ...options }, ({ stack }) => {
        expect(stack.evictAll()).toBe(0);
        stack.shrink();
        Object.assign(total, stack.versionCounts());
      });
      return { seen, total };
    };

    it('when every page that can be is evicted after every step, and most of them, too', () => {
      let [evictions, loads, steps] = [0, 0, 0];
      fc.assert(
        fc.property(program, (made) => {
          const { seen, total } = evictable(made);
          expect(seen).toEqual(undisturbed(made));
          evictions += total.evictions;
          loads += total.loads;
          steps += made.length;
        }),
        { numRuns: 100 },
      );
      // Whatever the seed: there are about twelve and eight in 100 steps.
      expect(evictions).toBeGreaterThan(steps / 80);
      expect(loads).toBeGreaterThan(steps / 80);
    });

    it('when the EPC is smaller than what the guest uses', () => {
      let evictions = 0;
      const long = fc.array(step, { minLength: 80, maxLength: 120 });
      fc.assert(
        fc.property(long, (further) => {
          const made = [...building, ...further];
          let evicted = 0;
          // Six pages beside one path in each section: the least in which every leaf ends.
          const small = { versionSlots: 2, epcPages: 12, batchPages: 1 };
          const seen = play(made, small, ({ stack }) => {
            evicted = stack.versionCounts().evictions;
          });
          expect(seen).toEqual(undisturbed(made));
          evictions += evicted;
        }),
        { numRuns: 40 },
      );
      expect(evictions).toBeGreaterThan(0);
    });
  });

  it('in the published branch as well, as long as nothing conflicts', () => {
    fc.assert(
      fc.property(program, (steps) => {
        const disturbed = play(steps, { recipes: kvmOversub }, ({ stack }) =>
          expect(stack.evictAll()).toBe(0),
        );
        expect(disturbed).toEqual(undisturbed(steps));
      }),
      { numRuns: 20 },
    );
  });

  it('in a long run in which every leaf succeeds and fails', () => {
    const enter: Step = { do: 'enter', at: { section: 0, page: 1 }, linear: 0 };
    const steps = [...building, enter, ...fc.sample(step, { seed: 7, numRuns: 600 })];
    const seen = undisturbed(steps);
    expect(play(steps, {}, ({ stack }) => expect(stack.evictAll()).toBe(0))).toEqual(seen);
    const kinds = new Set(seen.map((line) => line.replace(/^(\S+ \S+).*/, '$1')));
    for (const name of ['ecreate', 'eadd', 'einit', 'eremove', 'epa', 'eblock', 'load', 'enter']) {
      expect(kinds).toContain(`${name} 0`);
    }
    expect(kinds).toContain(`eremove ${SgxCode.CHILD_PRESENT}`);
    expect(kinds).toContain(`eblock ${SgxCode.BLSTATE}`);
    expect(seen.some((line) => /^pageOut 0 0 0/.test(line))).toBe(true);
    expect(seen.some((line) => /^read 2/.test(line))).toBe(true);
  });
});
