import type { Routine } from '@epckit/interface';
import { InvariantViolation, Killed, NONE, OwnerKind } from '@epckit/interface';
import type { Vepc } from '@epckit/vepc';
import { VepcFaultResult } from '@epckit/vepc';
import { describe, expect, it } from 'vitest';
import type { Case } from '../../src/index.js';
import { explore } from '../../src/index.js';
import { Guests } from './virtual-epc.js';

const EPC_PAGES = 6;

/** Pins the instance as a victim policy does, unless it is gone, and kills it. */
function* kill({ driver, ...guests }: Guests, vepc: Vepc, cpu = 0): Routine<number> {
  const { owner } = driver;
  const thread = (guests.epc.cpus[cpu] as (typeof guests.epc.cpus)[0]).thread;
  if (owner === null || vepc.refs === null) throw new Error('Nobody can be killed.');
  if (thread.clock > thread.limit) yield vepc.refs.writing;
  if (!vepc.refs.getUnlessZero(thread)) return NONE;
  return yield* owner.kill(thread, vepc.id);
}

function setUp(): { guests: Guests; vepc: Vepc } {
  const guests = new Guests({ epcPages: EPC_PAGES, cpus: 2, hasController: true });
  const vepc = guests.open(3);
  guests.enclave(guests.at(vepc, 0), guests.at(vepc, 1));
  return { guests, vepc };
}

/** CPU 0 kills; CPU 1 does `rival`. */
function besides(name: string, rival: (guests: Guests, vepc: Vepc) => Routine<unknown>): Case {
  return {
    name: `kill of an instance beside ${name}`,
    setup: () => {
      const { guests, vepc } = setUp();
      guests.machine.start(guests.thread(0), kill(guests, vepc));
      guests.machine.start(guests.thread(1), rival(guests, vepc));
      return {
        machine: guests.machine,
        check: () => {
          const wrong = guests.violations();
          if (!vepc.isReleased && vepc.pages.count > 0) wrong.push('A killed instance has pages.');
          if (guests.epc.pools.free !== EPC_PAGES) wrong.push(`${guests.epc.pools.free} pages are free.`);
          if (wrong.length > 0) throw new InvariantViolation(wrong[0] as string, wrong);
        },
      };
    },
  };
}

describe('a kill of an instance', () => {
  it('frees its pages at once; the file stays open, and faults end in OOM', () => {
    const { guests, vepc } = setUp();
    const { machine, driver, epc } = guests;
    expect(epc.frames.kind(vepc.pages.get(0))).toBe(OwnerKind.GUEST);
    expect(machine.run(guests.thread(), kill(guests, vepc))).toBe(Killed.MARKED);
    expect([epc.pools.free, vepc.pages.count, guests.violations()]).toEqual([EPC_PAGES, 0, []]);
    expect(machine.run(guests.thread(), guests.fault(0, vepc, 0))).toBe(VepcFaultResult.OOM);
    expect(machine.run(guests.thread(), kill(guests, vepc))).toBe(Killed.ALREADY_DYING);
    guests.unmap(vepc);
    machine.run(guests.thread(), driver.release(guests.thread(), vepc));
    expect([driver.instances(), guests.violations()]).toEqual([[], []]);
  });

  it('leaves a SECS whose child is elsewhere to the release', () => {
    const guests = new Guests({ epcPages: EPC_PAGES, cpus: 2, hasController: true });
    const [parent, other] = [guests.open(2), guests.open(2)];
    guests.enclave(guests.at(parent, 0), guests.at(other, 0));
    expect(guests.machine.run(guests.thread(), kill(guests, parent))).toBe(Killed.MARKED);
    expect([parent.pages.count, guests.violations()]).toEqual([1, []]);
    guests.machine.run(guests.thread(), kill(guests, other));
    for (const vepc of [parent, other]) {
      guests.unmap(vepc);
      guests.machine.run(guests.thread(), guests.driver.release(guests.thread(), vepc));
    }
    expect([guests.epc.pools.free, guests.violations()]).toEqual([EPC_PAGES, []]);
  });

  it('is nobody without a controller', () => {
    const guests = new Guests({ epcPages: EPC_PAGES, cpus: 1 });
    expect([guests.driver.owner, guests.open(1).refs]).toEqual([null, null]);
  });

  it.each<[string, (guests: Guests, vepc: Vepc) => Routine<unknown>]>([
    ['a fault', (guests, vepc) => guests.fault(1, vepc, 2)],
    ['REMOVE_ALL', (guests, vepc) => guests.driver.removeAll.run(guests.thread(1), vepc)],
    ['another kill', (guests, vepc) => kill(guests, vepc, 1)],
  ])('beside %s: no order is wrong', { timeout: 60_000 }, (name, rival) => {
    expect(explore(besides(name, rival), { strategy: 'dfs', preemptions: 2 })).toMatchObject({
      finding: null,
    });
  });

  it('beside the last close: no order is wrong', { timeout: 60_000 }, () => {
    const scene: Case = {
      name: 'kill beside close',
      setup: () => {
        const { guests, vepc } = setUp();
        guests.unmap(vepc);
        const { machine, driver } = guests;
        machine.start(guests.thread(0), kill(guests, vepc));
        machine.start(guests.thread(1), driver.release(guests.thread(1), vepc));
        return {
          machine,
          check: () => {
            expect([driver.instances(), guests.epc.pools.free, guests.violations()]).toEqual([
              [],
              EPC_PAGES,
              [],
            ]);
          },
        };
      },
    };
    expect(explore(scene, { strategy: 'dfs', preemptions: 2 })).toMatchObject({ finding: null });
  });
});
