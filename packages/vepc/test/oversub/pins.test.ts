import type { Routine } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import type { OversubRecipes } from '../../src/index.js';
import { Eviction, kvmOversub } from '../../src/index.js';
import type { Cell } from './program.js';
import { building, Program } from './program.js';

const SECS: Cell = { section: 0, page: 0 };
const CHILDREN: readonly Cell[] = [
  { section: 0, page: 1 },
  { section: 1, page: 1 },
  { section: 1, page: 2 },
];

/** All children are evicted, so that only pins keep the SECS. */
function childless(recipes: OversubRecipes): Program {
  const program = new Program({ recipes });
  for (const it of building) program.step(it);
  for (const cell of CHILDREN) expect(program.stack.evict(program.at(cell))).toBe(Eviction.EVICTED);
  return program;
}

/** Pins or unpins the SECS for a child in the other section, with the locks of a fault. */
function* forChild({ stack, sections }: Program, what: 'pin' | 'unpin'): Routine<number> {
  const thread = stack.thread();
  const holder = stack.instance(sections[1]);
  const place = { instance: stack.instance(sections[0]), page: SECS.page };
  while (stack.mm.lock.mustWaitRead(thread)) yield stack.mm.lock.acquireRead;
  while (holder.vepc.lock.mustWait(thread)) yield holder.vepc.lock.acquire;
  const { pins } = stack.oversub;
  let page = 0;
  if (what === 'pin') page = yield* pins.pin(thread, holder, place);
  else yield* pins.unpin(thread, holder, place, 0);
  holder.vepc.lock.release(thread);
  stack.mm.lock.releaseRead(thread);
  return page;
}

describe('a SECS that two children need (S-11)', () => {
  const evictAfterOneUnpin = (recipes: OversubRecipes): number => {
    const program = childless(recipes);
    const { stack } = program;
    const page = program.at(SECS).vepc.pages.get(SECS.page);
    for (let i = 0; i < 2; i++) expect(stack.run(forChild(program, 'pin'))).toBe(page);
    expect(stack.evict(program.at(SECS))).toBe(Eviction.BUSY);
    stack.run(forChild(program, 'unpin'));
    return stack.evict(program.at(SECS));
  };

  it('stays until the second is done', () => {
    expect(evictAfterOneUnpin({})).toBe(Eviction.BUSY);
  });

  it('goes after the first with a flag instead of a count (V-24)', () => {
    expect(evictAfterOneUnpin(kvmOversub)).toBe(Eviction.EVICTED);
  });

  it('is loaded for the pin if it is out, and the lock of the child is dropped meanwhile', () => {
    const program = childless({});
    const { stack } = program;
    expect(stack.evict(program.at(SECS))).toBe(Eviction.EVICTED);
    const page = stack.run(forChild(program, 'pin'));
    expect(page).toBe(program.at(SECS).vepc.pages.get(SECS.page));
    stack.run(forChild(program, 'unpin'));
    expect(stack.violations()).toEqual([]);
  });

  it('stays pinned in the published branch if the write of a child fails (V-25)', () => {
    for (const [recipes, pins] of [
      [{}, 0],
      [kvmOversub, 1],
    ] as const) {
      const program = new Program({ recipes, leaves: () => ({ eincvirtchild: () => 7 }) });
      for (const it of building) program.step(it);
      program.stack.evict(program.at(CHILDREN[1] as Cell));
      expect(program.stack.instance(program.sections[0]).records.pins(SECS.page)).toBe(pins);
    }
  });
});
