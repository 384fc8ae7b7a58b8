import type { Routine } from '@epckit/interface';
import { SgxCode } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import type { OversubRecipes } from '../../src/index.js';
import { Eviction, VepcFaultResult } from '../../src/index.js';
import { DoomingBlocker, UnboundedLoader } from '../../src/recipes.js';
import type { GuestStackOptions } from './guest-stack.js';
import type { Cell, Step } from './program.js';
import { building, Program } from './program.js';
import { everyWindow } from './windows.js';

const SECS: Cell = { section: 0, page: 0 };
const DATA: Cell = { section: 1, page: 1 };

function built(options: GuestStackOptions): Program {
  const program = new Program(options);
  for (const it of building) program.step(it);
  return program;
}

describe('a page that cannot be mapped again (V-26)', () => {
  const touchSecs: Step = { do: 'eblock', at: SECS };

  /** The SECS has children, so it is mapped again, which fails; the guest touches it at every point. */
  function play(recipes: OversubRecipes): void {
    everyWindow(
      () => {
        let refused = 0;
        const failures = { fails: (call: string) => call === 'pfn' && refused-- > 0 };
        const program = built({ recipes, failures, checking: true });
        refused = 1;
        const { stack } = program;
        const reclaimer = stack.thread(-1);
        const routine = stack.oversub.evict(reclaimer, program.at(SECS));
        const second = program.run(stack.thread(), touchSecs);
        return {
          stack,
          first: { thread: reclaimer, routine },
          second: { thread: stack.thread(), routine: second },
        };
      },
      ({ stack }) => expect(stack.violations()).toEqual([]),
    );
  }

  it('is on one list only, whenever the guest touches it', () => {
    expect(() => play({})).not.toThrow();
  });

  it('is marked by fault and reclaimer in the published branch', () => {
    expect(() => play({ blocker: (parts) => new DoomingBlocker(parts) })).toThrow();
  });
});

describe('a guest that hammers the SECS of a page that comes back (V-27)', () => {
  /** One fault, while a leaf of the guest is always in the way of the load. */
  function fault(recipes: OversubRecipes): { status: string; steps: number; tries: number; result: number } {
    let tries = 0;
    let isHammered = false;
    const program = built({
      recipes,
      checking: true,
      leaves: (real) => ({
        elduc: (...operands) => {
          if (!isHammered) return real.elduc(...operands);
          tries++;
          return SgxCode.EPC_PAGE_CONFLICT;
        },
      }),
    });
    const { stack, sections } = program;
    expect(stack.evict(program.at(DATA))).toBe(Eviction.EVICTED);
    isHammered = true;
    const thread = stack.thread();
    let result = -1;
    const once = function* (): Routine<void> {
      while (stack.mm.lock.mustWaitRead(thread)) yield stack.mm.lock.acquireRead;
      const vma = stack.mm.table(sections[1].id)?.vmaOf(DATA.page);
      if (vma === undefined) throw new Error('unmapped');
      result = yield* stack.driver.faults.fault(thread, stack.mm, vma, sections[1], DATA.page);
      if (result !== VepcFaultResult.RETRY) stack.mm.lock.releaseRead(thread);
    };
    stack.machine.start(thread, once());
    const first = { begin: () => true, choose: () => 0 };
    const { status, steps } = stack.machine.runExplored(first, { maxSteps: 2000 });
    return { status, steps, tries, result };
  }

  it('costs the host twenty tries, then the fault starts again without any lock', () => {
    const { status, tries, result, steps } = fault({});
    expect([status, tries, result]).toEqual(['done', 20, VepcFaultResult.RETRY]);
    expect(steps).toBeLessThan(300);
  });

  it('holds the host up for ever in the published branch', () => {
    const { status, result } = fault({ loader: (parts) => new UnboundedLoader(parts) });
    expect([status === 'done', result]).toEqual([false, -1]);
  });
});
