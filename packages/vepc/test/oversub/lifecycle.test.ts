import type { Routine } from '@epckit/interface';
import { Errno, Killed, NONE, Pin } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import { Eviction, GuestState, kvmOversub, VepcFaultResult } from '../../src/index.js';
import type { Cell, Step } from './program.js';
import { building, Program } from './program.js';
import { everyWindow } from './windows.js';

const SECS: Cell = { section: 0, page: 0 };
const THREAD: Cell = { section: 0, page: 1 };
const DATA: Cell = { section: 1, page: 1 };
const MORE: Cell = { section: 1, page: 2 };
const readData: Step = { do: 'read', at: DATA, secs: SECS, linear: 1 };

function built(options: ConstructorParameters<typeof Program>[0] = {}): Program {
  const program = new Program(options);
  for (const it of building) program.step(it);
  return program;
}

function evict(program: Program, ...cells: readonly Cell[]): void {
  for (const cell of cells) expect(program.stack.evict(program.at(cell))).toBe(Eviction.EVICTED);
}

function removeAll({ stack, sections }: Program, section: number): number {
  const vepc = sections[section as 0 | 1];
  return stack.run(stack.driver.removeAll.run(stack.thread(), vepc));
}

/** The stack is sound, and the VM's end gives every page back. */
function expectGone({ stack }: Program): void {
  expect(stack.violations()).toEqual([]);
  stack.end();
  expect(stack.violations()).toEqual([]);
  expect(stack.pools.free).toBe(64);
}

/** Ways in which pages can be in or out of the EPC; a SECS goes last. */
const placements: readonly (readonly Cell[])[] = [
  [],
  [DATA],
  [DATA, MORE],
  [THREAD],
  [DATA, MORE, THREAD],
  [DATA, MORE, THREAD, SECS],
];

describe('REMOVE_ALL', () => {
  for (const cells of placements) {
    it(`returns with ${cells.length} evicted pages what it returns with all in the EPC`, () => {
      for (const order of [
        [0, 1, 0],
        [1, 0, 1],
        [0, 0, 1, 0],
      ]) {
        const [undisturbed, disturbed] = [built(), built()];
        evict(disturbed, ...cells);
        const results = order.map((section) => removeAll(disturbed, section));
        expect(results).toEqual(order.map((section) => removeAll(undisturbed, section)));
        expect(disturbed.stack.violations()).toEqual([]);
        expect([1, 0, 0].map((section) => removeAll(disturbed, section)).at(-1)).toBe(0);
        for (const it of building) expect(disturbed.step(it)).toMatch(/ 0$/);
        expectGone(disturbed);
      }
    });
  }

  it('of the children alone lets the guest remove an evicted SECS', () => {
    const program = built();
    evict(program, DATA, MORE, THREAD, SECS);
    expect(removeAll(program, 1)).toBe(0);
    expect(program.step({ do: 'eremove', at: SECS })).toBe('eremove 13');
    expect(program.step({ do: 'eremove', at: THREAD })).toBe('eremove 0');
    expect(program.step({ do: 'eremove', at: SECS })).toBe('eremove 0');
    expectGone(program);
  });

  it('leaves evicted pages in the published branch: the guest meets them again after its reboot', () => {
    const program = built({ recipes: kvmOversub });
    evict(program, DATA);
    expect(removeAll(program, 1)).toBe(0);
    expect(program.step(readData)).toBe('read 0: 2 3 false 102');
  });

  it('meets a SECS whose only child goes or comes at every point, and leaves it', () => {
    for (const isLoaded of [false, true]) {
      let program: Program;
      const left: number[] = [];
      const count = everyWindow(
        () => {
          program = new Program({ checking: true });
          for (const it of [building[1], building[3]] as Step[]) program.step(it);
          const { stack, sections } = program;
          const thread = stack.thread(-1);
          if (isLoaded) evict(program, DATA);
          const routine: Routine<unknown> = isLoaded
            ? program.run(thread, readData)
            : stack.oversub.evict(thread, program.at(DATA));
          const second = function* (): Routine<void> {
            left.push(yield* stack.driver.removeAll.run(stack.thread(), sections[0]));
          };
          return {
            stack,
            first: { thread, routine },
            second: { thread: stack.thread(), routine: second() },
          };
        },
        () => {
          expect(program.step(readData)).toBe('read 0: 2 3 false 102');
          expect(program.stack.violations()).toEqual([]);
        },
      );
      expect(left).toEqual(Array.from({ length: count + 1 }, () => 1));
    }
  });

  it('meets a page between block and write at every point, and it is unused afterwards', () => {
    const count = everyWindow(
      () => {
        const program = built({ checking: true });
        const { stack, sections } = program;
        const reclaimer = stack.thread(-1);
        const routine = stack.oversub.evict(reclaimer, program.at(DATA));
        const second = stack.driver.removeAll.run(stack.thread(), sections[1]);
        return {
          stack,
          first: { thread: reclaimer, routine },
          second: { thread: stack.thread(), routine: second },
        };
      },
      ({ stack }) => {
        expect(stack.violations()).toEqual([]);
        const page = stack.sections[1]?.pages.get(DATA.page) ?? NONE;
        expect(page === NONE || !stack.hardware.isValid(page)).toBe(true);
        stack.end();
        expect(stack.pools.free).toBe(64);
      },
    );
    expect(count).toBeGreaterThan(20);
  });
});

describe('the end of a section', () => {
  for (const cells of placements) {
    it(`gives everything back with ${cells.length} evicted pages, in any order`, () => {
      for (const order of [
        [0, 1],
        [1, 0],
      ] as const) {
        const program = built();
        const { stack, sections } = program;
        evict(program, ...cells);
        for (const section of order) {
          stack.run(stack.oversub.enabler.disable(stack.thread(), sections[section]));
          stack.close(sections[section]);
          expect(stack.violations()).toEqual([]);
        }
        expect([stack.pools.free, stack.driver.zombies.all(), stack.driver.instances()]).toEqual([
          64,
          [],
          [],
        ]);
      }
    });
  }

  it('lets the guest remove a SECS whose evicted children were in it', () => {
    const program = built();
    const { stack, sections } = program;
    evict(program, DATA, MORE);
    stack.run(stack.oversub.enabler.disable(stack.thread(), sections[1]));
    stack.close(sections[1]);
    expect(stack.violations()).toEqual([]);
    expect(program.step({ do: 'eremove', at: THREAD })).toBe('eremove 0');
    expect(program.step({ do: 'eremove', at: SECS })).toBe('eremove 0');
    expect(stack.violations()).toEqual([]);
  });

  it('may come at every point of an eviction (S-15)', () => {
    const count = everyWindow(
      () => {
        const program = built({ checking: true });
        const { stack, sections } = program;
        const reclaimer = stack.thread(-1);
        const routine = stack.oversub.evict(reclaimer, program.at(DATA));
        const end = function* () {
          for (const vepc of sections) yield* stack.oversub.enabler.disable(stack.thread(), vepc);
        };
        return {
          stack,
          first: { thread: reclaimer, routine },
          second: { thread: stack.thread(), routine: end() },
        };
      },
      ({ stack }) => {
        expect(stack.violations()).toEqual([]);
        for (const vepc of stack.sections) stack.close(vepc);
        expect(stack.violations()).toEqual([]);
        expect(stack.pools.free).toBe(64);
      },
    );
    expect(count).toBeGreaterThan(20);
  });

  it('waits for the reclaimer that has the last reference', () => {
    const program = built();
    const { stack, sections } = program;
    const { owner } = stack.oversub;
    const page = sections[1].pages.get(DATA.page);
    expect(owner.get(stack.thread(), page)).toBe(Pin.PINNED);
    stack.end();
    expect(stack.driver.instance(sections[1].id)).toBeDefined();
    expect(owner.put(stack.thread(), sections[1].id)).toBe(true);
    stack.run(owner.release(stack.thread(), sections[1].id));
    expect([stack.pools.free, stack.violations()]).toEqual([64, []]);
  });

  it('begins with the death of the instance if it is killed for want of EPC', () => {
    const program = built();
    const { stack, sections } = program;
    const { owner } = stack.oversub;
    const page = stack.instance(sections[1]).versionArrays[0] as number;
    for (const expected of [Killed.MARKED, Killed.ALREADY_DYING]) {
      owner.get(stack.thread(), page);
      expect(stack.run(owner.kill(stack.thread(), sections[1].id))).toBe(expected);
    }
    expect(sections[1].pages.count).toBe(0);
    expect(program.step(readData)).toBe('read -7');
    expectGone(program);
  });
});

describe('what happens to a VM', () => {
  it('a loss of power leaves all its pages unused, evicted ones too', () => {
    const program = built();
    const { stack, sections } = program;
    evict(program, DATA, MORE, THREAD, SECS);
    program.step(readData);
    stack.hardware.powerCycle();
    for (const vepc of sections) stack.run(stack.oversub.resume.run(stack.thread(), vepc));
    expect(stack.violations()).toEqual([]);
    for (const cell of [DATA, MORE]) {
      expect(program.step({ do: 'read', at: cell, secs: SECS, linear: 1 })).toBe('read unused');
    }
    for (const it of building) expect(program.step(it)).toMatch(/ 0$/);
    expect(stack.evictAll()).toBe(0);
    expect(program.step(readData)).toBe('read 0: 2 3 false 102');
    expectGone(program);
  });

  it('without this the first load after a loss of power is fatal', () => {
    const program = built();
    evict(program, DATA);
    program.stack.hardware.powerCycle();
    expect(program.step(readData)).toBe('read -7');
  });

  it('a memory error keeps a page where it is; the published branch writes it', () => {
    for (const [recipes, expected] of [
      [{}, Eviction.KEPT],
      [kvmOversub, Eviction.EVICTED],
    ] as const) {
      const program = built({ recipes });
      program.stack.frames.setPoisoned(program.sections[1].pages.get(DATA.page));
      expect(program.stack.evict(program.at(DATA))).toBe(expected);
    }
  });

  it('munmap by the VMM kills it at the next touch (S-18)', () => {
    const program = built();
    const { stack, sections } = program;
    evict(program, DATA, MORE);
    stack.run(stack.driver.mapper.unmap(stack.thread(), stack.mm, sections[1], 0, 5));
    expect(program.step(readData)).toBe('read -7');
    expectGone(program);
  });

  it('munmap of the SECS kills the instance of a child that comes back', () => {
    const program = built();
    const { stack, sections } = program;
    evict(program, DATA, MORE, THREAD, SECS);
    stack.run(stack.driver.mapper.unmap(stack.thread(), stack.mm, sections[0], 0, 5));
    const { violation } = stack.oversub;
    const fault = violation.call(stack.oversub, stack.thread(), stack.mm, sections[1], DATA.page);
    expect(stack.run(fault)).toBe(VepcFaultResult.SIGBUS);
    expect(stack.instance(sections[1]).isDead).toBe(true);
  });

  it('a fault of another process is refused, an instance without reclaim is handled as before', () => {
    const program = built();
    const { stack, sections } = program;
    const other = stack.process();
    const raw = stack.driver.open(2);
    if (raw === null) throw new Error('open');
    expect(stack.map(raw, other)).toBe(0);
    const { violation } = stack.oversub;
    const fault = (vepc: typeof raw) =>
      stack.run(violation.call(stack.oversub, stack.thread(), other, vepc, 0));
    expect([fault(raw), raw.pages.get(0) >= 0]).toEqual([VepcFaultResult.NOPAGE, true]);
    expect(fault(sections[0])).toBe(VepcFaultResult.SIGBUS);
    expect(stack.state({ vepc: sections[0], page: 3 })).toBe(GuestState.EMPTY);
    expect(stack.violations()).toEqual([]);
    expect(stack.run(stack.driver.removeAll.run(stack.thread(), raw))).toBe(0);
    stack.close(raw);
    expectGone(program);
  });

  it('a signal at the limit sends the access round again (S-19)', () => {
    const program = new Program();
    const { stack, sections } = program;
    const { allocator } = stack;
    let signals = 1;
    const alloc = allocator.alloc.bind(allocator);
    Object.assign(allocator, {
      *alloc(...parts: Parameters<typeof alloc>) {
        return signals-- > 0 ? -Errno.ERESTARTSYS : yield* alloc(...parts);
      },
    });
    const { violation } = stack.oversub;
    const touch = () => stack.run(violation.call(stack.oversub, stack.thread(), stack.mm, sections[0], 0));
    expect([touch(), sections[0].pages.get(0)]).toEqual([VepcFaultResult.NOPAGE, NONE]);
    expect([touch(), sections[0].pages.get(0) >= 0]).toEqual([VepcFaultResult.NOPAGE, true]);
  });
});
