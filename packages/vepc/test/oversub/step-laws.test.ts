import type { Routine, Thread } from '@epckit/interface';
import { ConflictExit, Leaf, NONE } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import type { HostMarkId, OversubRecipes, Vepc } from '../../src/index.js';
import { checkOversub, Eviction } from '../../src/index.js';
import type { GuestPage, SecsPlace } from '../../src/recipes.js';
import { ConflictExits, GuestWriter, OversubRemoveAll } from '../../src/recipes.js';
import { mutants } from './mutants.js';
import type { Cell } from './program.js';
import { building, Program } from './program.js';
import { everyWindow } from './windows.js';

const SECS: Cell = { section: 0, page: 0 };
const DATA: Cell = { section: 1, page: 1 };

/** Looks at what is in the EPC only, as without host reclaim. */
class Forgetful extends OversubRemoveAll {
  override *run(thread: Thread, vepc: Vepc): Routine<number> {
    while (vepc.lock.mustWait(thread)) yield vepc.lock.acquire;
    for (let page = vepc.pages.next(0); page !== NONE; page = vepc.pages.next(page + 1))
      yield* this.pages.remove(thread, vepc.pages.get(page));
    vepc.lock.release(thread);
    return 0;
  }
}

/** Remembers a slot before one was taken. */
class HastyWriter extends GuestWriter {
  protected override *ewb(thread: Thread, subject: GuestPage): Routine<number> {
    subject.instance.records.setSlot(subject.index, 0);
    return yield* super.ewb(thread, subject);
  }
}

/** Excuses everything. */
class Lenient extends ConflictExits {
  protected override *isExcused(): Routine<boolean> {
    return true;
  }
}

/** A mark stays, whether the host goes on with the SECS or not. */
class Renewing extends ConflictExits {
  protected override renew({ instance, page }: SecsPlace, mark: HostMarkId): void {
    instance.marks.renew(page, mark);
  }
}

/** Exits of the guest about its SECS. */
function* exits(program: Program, count = 2): Routine<void> {
  const { stack } = program;
  const operand = program.at(SECS);
  for (let i = 0; i < count; i++) {
    const conflict = { exit: ConflictExit.EPC_PAGE_EXCEPTION, leaf: Leaf.EREMOVE, operand, context: 0 };
    yield* stack.oversub.conflicts.handle(stack.thread(), stack.vm, conflict);
  }
}

interface Broken {
  readonly law: string;
  readonly what: string;
  readonly recipes: OversubRecipes;
  /** What one thread does while another one evicts the child, or, with `load`, reads it. */
  readonly second: (program: Program) => Routine<unknown>;
  readonly isLoaded?: boolean;
}

const reboot = ({ stack, sections }: Program) => stack.driver.removeAll.run(stack.thread(), sections[0]);

const broken: readonly Broken[] = [
  { law: 'OS-1', what: 'a count after the write (V-29)', recipes: mutants['V-29'], second: exits },
  {
    law: 'OS-1',
    what: 'a count before the load (V-30)',
    recipes: mutants['V-30'],
    second: exits,
    isLoaded: true,
  },
  {
    law: 'OS-2',
    what: 'a SECS that is removed while its child is on its way',
    recipes: { removeAll: (...parts) => new Forgetful(...parts) },
    second: reboot,
  },
  {
    law: 'OS-3',
    what: 'a slot before it is taken',
    recipes: { writer: (parts) => new HastyWriter(parts) },
    second: exits,
  },
  {
    law: 'OS-4',
    what: 'an excuse without a mark',
    recipes: { conflicts: (parts) => new Lenient(parts) },
    second: exits,
  },
  {
    law: 'OS-4',
    what: 'a mark that is renewed without a pin',
    recipes: { conflicts: (parts) => new Renewing(parts) },
    second: (program) => exits(program, 9),
  },
  {
    law: 'OS-5',
    what: 'an entry before the load (V-31)',
    recipes: mutants['V-31'],
    second: exits,
    isLoaded: true,
  },
];

/** Every window of an eviction or a load, with all laws after every step. */
function play({ recipes, second, isLoaded = false }: Broken): number {
  return everyWindow(
    () => {
      const program = new Program({ recipes, checking: true });
      // SECS and one child, in two sections.
      for (const it of [building[1], building[3]]) if (it !== undefined) program.step(it);
      const { stack } = program;
      const thread = stack.thread(-1);
      if (isLoaded) expect(stack.evict(program.at(DATA))).toBe(Eviction.EVICTED);
      const routine: Routine<unknown> = isLoaded
        ? program.run(thread, { do: 'read', at: DATA, secs: SECS, linear: 1 })
        : stack.oversub.evict(thread, program.at(DATA));
      const other = { thread: stack.thread(), routine: second(program) };
      return { stack, first: { thread, routine }, second: other };
    },
    ({ stack }) => expect(stack.violations()).toEqual([]),
  );
}

describe('a law that holds after every step', () => {
  it.each(broken)('$law is broken on the way by $what', (it) => {
    expect(() => play(it)).toThrow(it.law);
  });

  it.each(broken)('$law holds without $what', (it) => {
    expect(play({ ...it, recipes: {} })).toBeGreaterThan(10);
  });

  it('allows nothing at rest that is only on its way', () => {
    const program = new Program();
    for (const it of building) program.step(it);
    const { stack } = program;
    const { oversub, frames, hardware } = stack;
    const laws = (isAtRest: boolean) =>
      checkOversub(oversub, frames, hardware, isAtRest).map(({ rule }) => rule);
    const { records } = stack.instance(program.at(SECS).vepc);
    const secs = program.at(SECS).vepc.pages.get(SECS.page);
    // A child that is being written: counted, pinned, and still there.
    hardware.eincvirtchild(0, secs, secs);
    records.addPins(SECS.page, 1);
    oversub.conflicts.handled++;
    expect(laws(false)).toEqual([]);
    expect(new Set(laws(true))).toEqual(new Set(['OS-1', 'OS-4', 'OS-7']));
    hardware.eincvirtchild(0, secs, secs);
    expect(laws(false)).toEqual(['OS-1']);
  });
});
