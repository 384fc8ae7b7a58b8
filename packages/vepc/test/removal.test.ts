import type { SecsSource, SgxHardware } from '@epckit/interface';
import { Errno, LeafFault, NONE } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import type { Vepc } from '../src/index.js';
import { WithoutZombies } from './museum/without-zombies.js';
import { Stack } from './stack.js';

const misuse = expect.objectContaining({ code: 'EPCKIT_MISUSE' });

/** What the pages of the instances hold: `S` a SECS, `c` a child of it, `V` a version array, `-` unused. */
type Layout = readonly string[];

class Guest {
  readonly stack: Stack;
  readonly instances: readonly Vepc[];
  /** EPC page of the SECS. */
  readonly secs: number;

  constructor(layout: Layout, stack = new Stack()) {
    this.stack = stack;
    this.instances = layout.map(() => stack.open());
    layout.forEach((pages, i) => {
      stack.populate(this.instances[i] as Vepc, ...[...pages].keys());
    });
    const cells = layout.flatMap((pages, i) =>
      [...pages].map((what, page) => ({ what, at: stack.at(this.instances[i] as Vepc, page) })),
    );
    const secs = cells.find(({ what }) => what === 'S')?.at;
    const source = secs === undefined ? undefined : stack.ecreate(secs.vepc, secs.page);
    this.secs = secs?.vepc.pages.get(secs.page) ?? NONE;
    let linear = 0;
    for (const { what, at } of cells) {
      if (what === 'c' && secs !== undefined) {
        if (stack.eadd(at, secs, source as SecsSource, linear++, linear === 1) !== 0) throw new Error('EADD');
      } else if (what === 'V') {
        stack.run(stack.driver.guest.epa(stack.thread(), at));
      }
    }
    stack.log.clear();
  }

  instance(i: number): Vepc {
    return this.instances[i] as Vepc;
  }

  close(i: number): string[] {
    this.stack.release(this.instance(i));
    expect(this.stack.violations()).toEqual([]);
    return this.stack.log.take();
  }

  removeAll(i: number): number {
    const result = this.stack.removeAll(this.instance(i));
    expect(this.stack.violations()).toEqual([]);
    return result;
  }

  zombies(): number[] {
    return this.stack.driver.zombies.all();
  }
}

describe('the last close', () => {
  it('A{S, c}: pass 1 frees the child, pass 2 the SECS', () => {
    const guest = new Guest(['Sc']);
    expect(guest.close(0)).toEqual(['EREMOVE 0 13', 'EREMOVE 1', 'EREMOVE 0']);
    expect([guest.zombies(), guest.stack.free().length]).toEqual([[], 40]);
  });

  it('A{c, S}: pass 1 frees both', () => {
    const guest = new Guest(['cS']);
    expect(guest.close(0)).toEqual(['EREMOVE 0', 'EREMOVE 1']);
    expect(guest.stack.free()).toHaveLength(40);
  });

  it('A{S}, B{c, c}: closing A leaves a zombie, closing B frees it', () => {
    const guest = new Guest(['S', 'cc']);
    expect(guest.close(0)).toEqual(['EREMOVE 0 13', 'EREMOVE 0 13']);
    expect([guest.zombies(), guest.stack.free().length]).toEqual([[0], 37]);
    expect(guest.close(1)).toEqual(['EREMOVE 1', 'EREMOVE 2', 'EREMOVE 0']);
    expect([guest.zombies(), guest.stack.free().length]).toEqual([[], 40]);
  });

  it('A{S}, B{c, c}: closing B first needs no zombie', () => {
    const guest = new Guest(['S', 'cc']);
    guest.close(1);
    expect(guest.zombies()).toEqual([]);
    expect(guest.close(0)).toEqual(['EREMOVE 0']);
    expect(guest.stack.free()).toHaveLength(40);
  });

  it('A{S}, B{c}, C{}: closing C tries the zombie in vain, closing B frees it', () => {
    const guest = new Guest(['S', 'c', '']);
    guest.close(0);
    expect([guest.close(2), guest.zombies()]).toEqual([['EREMOVE 0 13'], [0]]);
    expect([guest.close(1), guest.zombies()]).toEqual([['EREMOVE 1', 'EREMOVE 0'], []]);
  });

  it('A{V}: a version array has neither children nor a SECS', () => {
    expect(new Guest(['V']).close(0)).toEqual(['EREMOVE 0']);
  });

  it('frees pages that the guest never used', () => {
    expect(new Guest(['--']).close(0)).toEqual(['EREMOVE 0', 'EREMOVE 1']);
  });

  it('puts its own SECS pages before zombies that stay', () => {
    const stack = new Stack();
    const older = new Guest(['S', 'c'], stack);
    const newer = new Guest(['S', 'c'], stack);
    older.close(0);
    newer.close(0);
    expect(older.zombies()).toEqual([newer.secs, older.secs]);
    older.close(1);
    expect(older.zombies()).toEqual([newer.secs]);
    newer.close(1);
    expect(stack.free()).toHaveLength(40);
  });

  it('warns of pages that fail for another reason than children, and keeps them', () => {
    const guest = new Guest(['cS']);
    const { stack } = guest;
    stack.einit(guest.instance(0), 1);
    expect(stack.hardware.eenter(3, 0, 0x1000)).toBe(0);
    stack.release(guest.instance(0));
    expect(stack.log.events.filter((event) => event.startsWith('warned'))).toHaveLength(2);
    expect(guest.zombies()).toEqual([0, 1]);
    expect(stack.violations()).toEqual(['VE-4 Zombie 0 is no SECS.']);
    stack.hardware.eexit(3);
    stack.release(stack.open());
    expect([guest.zombies(), stack.free().length]).toEqual([[], 40]);
    expect(stack.violations()).toEqual([]);
  });

  it('is refused while something maps the instance, and a second time', () => {
    const stack = new Stack();
    const vepc = stack.open();
    expect(() => stack.run(stack.driver.release(stack.thread(), vepc))).toThrow(misuse);
    stack.release(vepc);
    expect(() => stack.run(stack.driver.release(stack.thread(), vepc))).toThrow(misuse);
  });

  it('puts a poisoned page on the poison list', () => {
    const guest = new Guest(['--']);
    guest.stack.frames.setPoisoned(0);
    guest.close(0);
    expect(guest.stack.free()).toHaveLength(39);
    expect(guest.stack.frames.listOf(0)).toBe(guest.stack.pools.lists.poison(0));
  });

  it('nests locks as Linux was recorded to do', () => {
    const guest = new Guest(['S', 'c']);
    guest.close(0);
    guest.close(1);
    expect(guest.stack.machine.lockOrder.pairs().sort()).toEqual([
      ['mmap', 'node'],
      ['mmap', 'vepc_lock'],
      ['vepc_lock', 'node'],
      ['zombie_lock', 'node'],
    ]);
  });

  it('without a zombie list loses the SECS for ever (V-02)', () => {
    const stack = new Stack({ recipes: { releaser: (parts) => new WithoutZombies(parts) } });
    const guest = new Guest(['S', 'c'], stack);
    stack.release(guest.instance(0));
    stack.release(guest.instance(1));
    expect(stack.violations()).toEqual(['VE-1 EPC page 0 is lost.']);
    expect(stack.free()).toHaveLength(39);
  });
});

describe('REMOVE_ALL', () => {
  it('A{S, c} twice: 1, then 0', () => {
    const guest = new Guest(['Sc']);
    expect([guest.removeAll(0), guest.removeAll(0)]).toEqual([1, 0]);
    expect(guest.stack.log.leaves).toEqual(['EREMOVE 0 13', 'EREMOVE 1', 'EREMOVE 0', 'EREMOVE 1']);
    expect([guest.instance(0).pages.count, guest.stack.free().length]).toEqual([2, 38]);
  });

  it('A{c, S}: 0', () => {
    expect(new Guest(['cS']).removeAll(0)).toBe(0);
  });

  it('A{S}, B{c}: A, B, A give 1, 0, 0', () => {
    const guest = new Guest(['S', 'c']);
    expect([guest.removeAll(0), guest.removeAll(1), guest.removeAll(0)]).toEqual([1, 0, 0]);
  });

  it('A{S}, B{c}: B, A give 0, 0', () => {
    const guest = new Guest(['S', 'c']);
    expect([guest.removeAll(1), guest.removeAll(0)]).toEqual([0, 0]);
  });

  it('is EBUSY while a CPU is inside; pages with a lower index are removed already', () => {
    const guest = new Guest(['-cS']);
    const { stack } = guest;
    stack.run(stack.driver.guest.epa(stack.thread(), stack.at(guest.instance(0), 0)));
    stack.einit(guest.instance(0), 2);
    const tcs = stack.at(guest.instance(0), 1);
    expect(stack.run(stack.driver.guest.eenter(stack.thread(3), tcs, 0x1000), 3)).toBe(0);
    stack.log.clear();
    expect(guest.removeAll(0)).toBe(-Errno.EBUSY);
    expect(stack.log.leaves).toEqual(['EREMOVE 0', 'EREMOVE 1 14']);
    expect(stack.log.events).toEqual([]);
    stack.hardware.eexit(3);
    expect(guest.removeAll(0)).toBe(0);
  });

  it.each([
    ['#GP, a conflict: no warning', LeafFault.GP, []],
    ['#PF: a warning', LeafFault.PF, ['warned sgx_vepc_remove_all']],
  ])('is EBUSY at %s', (_, fault, events) => {
    let isArmed = false;
    const leaves = (real: SgxHardware): Partial<SgxHardware> => ({
      eremove: (cpu, page) => (isArmed && page === 1 ? fault : real.eremove(cpu, page)),
    });
    const stack = new Stack({ leaves });
    const vepc = stack.open();
    stack.populate(vepc, 0, 1, 2);
    stack.log.clear();
    isArmed = true;
    expect(stack.removeAll(vepc)).toBe(-Errno.EBUSY);
    expect([stack.log.leaves, stack.log.events]).toEqual([['EREMOVE 0'], events]);
  });

  it('of an instance that was never touched: 0, with another argument EINVAL', () => {
    const stack = new Stack();
    const vepc = stack.open();
    expect([stack.removeAll(vepc), stack.removeAll(vepc, 1)]).toEqual([0, -Errno.EINVAL]);
  });

  it('looks at no signal', () => {
    const guest = new Guest(['Sc']);
    guest.stack.thread().signalPending = true;
    expect([guest.removeAll(0), guest.removeAll(0)]).toEqual([1, 0]);
  });

  it('is the only command; the command is looked at first', () => {
    const stack = new Stack();
    const vepc = stack.open();
    expect([stack.removeAll(vepc, 0, 1), stack.removeAll(vepc, 1, 0xa400)]).toEqual([
      -Errno.ENOTTY,
      -Errno.ENOTTY,
    ]);
  });

  it('leaves pages allocated and mapped: the guest makes a new enclave in them without a fault', () => {
    const guest = new Guest(['Sc']);
    guest.removeAll(0);
    guest.removeAll(0);
    guest.stack.log.clear();
    guest.stack.ecreate(guest.instance(0), 0);
    expect([guest.stack.log.leaves, guest.stack.log.events]).toEqual([['ECREATE 0'], []]);
  });
});
