import type { Routine } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import { Eviction } from '../../src/index.js';
import type { Cell } from './program.js';
import { building, Program } from './program.js';
import type { Window } from './windows.js';
import { everyWindow } from './windows.js';

const SECS: Cell = { section: 0, page: 0 };
const DATA: Cell = { section: 1, page: 1 };

interface Beside {
  readonly what: string;
  readonly second: (program: Program) => Routine<unknown>;
}

const sectionsOf = ({ sections }: Program) => sections;

/** The whole end: munmap, destruction of the VM, last close. */
function* end(program: Program): Routine<void> {
  const { stack } = program;
  const thread = stack.thread();
  for (const vepc of sectionsOf(program)) {
    yield* stack.driver.mapper.unmap(thread, stack.mm, vepc, 0, vepc.pageCount);
    stack.mm.forget(vepc.id);
  }
  for (const vepc of sectionsOf(program)) {
    yield* stack.oversub.enabler.disable(thread, vepc);
    yield* stack.driver.release(thread, vepc);
  }
}

/** The killer of whoever runs out of EPC takes both instances. */
function* kill(program: Program): Routine<void> {
  const { stack } = program;
  const { owner } = stack.oversub;
  for (const vepc of sectionsOf(program)) {
    const { refs } = stack.instance(vepc);
    yield refs.writing;
    if (refs.getUnlessZero(stack.thread())) yield* owner.kill(stack.thread(), vepc.id);
  }
}

const besides: readonly Beside[] = [
  { what: 'the end of the VM', second: end },
  { what: 'the killer', second: kill },
  { what: 'a batch', second: ({ stack }) => stack.reclaimer.batch(stack.thread()) },
  {
    what: 'another eviction of it',
    second: (program) => program.stack.oversub.evict(program.stack.thread(), program.at(DATA)),
  },
];

describe('an eviction of one page', () => {
  for (const cell of [DATA, SECS]) {
    it.each(besides)(`of section ${cell.section} may meet $what at every point`, ({ second }) => {
      let program: Program;
      const make = (): Window => {
        program = new Program({ checking: true });
        for (const it of building) program.step(it);
        const { stack } = program;
        const routine = stack.oversub.evict(stack.thread(-1), program.at(cell));
        return {
          stack,
          first: { thread: stack.thread(-1), routine },
          second: { thread: stack.thread(), routine: second(program) },
        };
      };
      const count = everyWindow(make, ({ stack }) => {
        expect(stack.violations()).toEqual([]);
        if (stack.driver.instances().length > 0) stack.end();
        expect([stack.pools.free, stack.violations()]).toEqual([64, []]);
      });
      expect(count).toBeGreaterThan(8);
    });
  }

  it('keeps what was never touched, what is closed, and what has no host reclaim', () => {
    const program = new Program();
    const { stack } = program;
    expect(stack.evict(program.at(DATA))).toBe(Eviction.KEPT);
    stack.end();
    expect(stack.evict(program.at(DATA))).toBe(Eviction.KEPT);
    const raw = stack.driver.open(2);
    expect(raw !== null && stack.evict({ vepc: raw, page: 0 })).toBe(Eviction.KEPT);
  });
});
