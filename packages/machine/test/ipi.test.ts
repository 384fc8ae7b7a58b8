import type { Probe } from '@epckit/interface';
import { Cost } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import type { InterruptHandler } from '../src/index.js';
import { compute, machineOf, scheduleInOrder, take, taskOn } from './set-up.js';
import { setOf } from './small-enclaves.js';

/** CPUs above 1 are inside an enclave. */
function logging(log: string[]): InterruptHandler {
  return {
    arrive(by, cpu) {
      log.push(`${by.clock} arrives at ${cpu}`);
      return cpu > 1;
    },
    leave: (_by, cpu) => void log.push(`leaves ${cpu}`),
  };
}

const costs = { IPI_FIXED: 3000, IPI_CPU: 700 };

describe('IPI in the direct and timed world', () => {
  it('arrives at every CPU but the own, costs a fixed part and one per target, and counts who was inside', () => {
    const machine = machineOf(4, costs);
    const sender = taskOn(machine, 0);
    const log: string[] = [];
    const ipi = machine.createIpi(logging(log), null);
    expect(machine.run(sender, ipi.send(sender, setOf([0, 1, 3])))).toBe(1);
    expect(log).toEqual(['3700 arrives at 1', '4400 arrives at 3', 'leaves 1', 'leaves 3']);
    expect(sender.clock).toBe(4400);
  });

  it('is told to the probe once', () => {
    const machine = machineOf(3, costs);
    const sender = taskOn(machine, 0);
    const rounds: unknown[] = [];
    const probe = {
      ipiSent: (thread: number, targets: readonly number[]) => rounds.push([thread, ...targets]),
    };
    const ipi = machine.createIpi(logging([]), probe as Partial<Probe> as Probe);
    machine.run(sender, ipi.send(sender, setOf([1, 2])));
    expect(rounds).toEqual([[sender.id, 1, 2]]);
  });

  it('takes effect after what other CPUs do before it', () => {
    const machine = machineOf(3, costs);
    const [sender, other] = [taskOn(machine, 0), taskOn(machine, 2)];
    const log: string[] = [];
    const ipi = machine.createIpi(logging(log), null);
    machine.start(sender, ipi.send(sender, setOf([2])));
    const working = function* () {
      for (let i = 0; i < 2; i++) {
        yield* compute(other, 2000);
        log.push(`${other.clock} works`);
      }
    };
    machine.start(other, working());
    machine.runTimed();
    expect(log).toEqual(['2000 works', '3700 arrives at 2', 'leaves 2', '4000 works']);
  });
});

describe('IPI in the timed world', () => {
  /** The sender interrupts CPU 1 at 1000; the handler charges `handler` to what runs there. */
  const interrupt = (handler: number, hasTrappedIpis = false) => {
    const machine = machineOf(2, { IPI_CPU: 10, IPI_GUEST: 500 }, { hasTrappedIpis });
    const [sender, target] = [taskOn(machine, 0), taskOn(machine, 1)];
    const log: string[] = [];
    const ipi = machine.createIpi(
      {
        arrive(_by, cpu) {
          machine.currentOf(cpu)?.spendCycles(Cost.AEX, handler);
          return handler > 0;
        },
        leave: (_by, cpu) => void machine.currentOf(cpu)?.spendCycles(Cost.ERESUME, handler / 2),
      },
      null,
    );
    const send = function* () {
      yield* compute(sender, 1000);
      log.push(`interrupted ${yield* ipi.send(sender, setOf([0, 1]))} at ${sender.clock}`);
    };
    return { machine, sender, target, log, send };
  };

  it('delays what runs on the target, and the sender until it has been answered', () => {
    const { machine, sender, target, log, send } = interrupt(300);
    machine.start(sender, send());
    const working = function* () {
      for (let i = 0; i < 3; i++) {
        yield* compute(target, 600);
        log.push(`${target.clock} works`);
      }
    };
    machine.start(target, working());
    machine.runTimed();
    // At 1000 the target is in its second step, which would end at 1200.
    expect(log).toEqual(['600 works', 'interrupted 1 at 1310', '1650 works', '2250 works']);
    expect(sender.cycles[Cost.IPI_WAIT]).toBe(300);
    const { idle, cycles, clock } = machine.timeOf(1);
    expect([idle, cycles[Cost.AEX], cycles[Cost.ERESUME], clock]).toEqual([0, 300, 150, 2250]);
  });

  it('interrupts a section and a thread that waits for one', () => {
    for (const waits of [false, true]) {
      const { machine, sender, target, send } = interrupt(300);
      const lock = machine.spinLock('lock');
      machine.start(sender, send());
      if (waits) {
        const holder = taskOn(machine, 0, 'holder');
        machine.start(
          holder,
          (function* () {
            yield* take(holder, lock);
            yield* compute(holder, 900);
            lock.release(holder);
          })(),
        );
      }
      machine.start(
        target,
        (function* () {
          yield* take(target, lock);
          yield* compute(target, 2000);
          lock.release(target);
          yield* compute(target, 0);
        })(),
      );
      machine.runTimed();
      expect(machine.timeOf(1).cycles[Cost.AEX]).toBe(300);
      expect(target.clock).toBeGreaterThanOrEqual(2450);
    }
  });

  it('costs an idle target nothing, and more in a guest that traps', () => {
    const { machine, sender, log, send } = interrupt(0, true);
    machine.start(sender, send());
    machine.runTimed();
    expect(log).toEqual(['interrupted 0 at 1500']);
    expect(sender.cycles[Cost.IPI_GUEST]).toBe(500);
    expect(machine.timeOf(1)).toMatchObject({ clock: 1500, idle: 1500 });
  });
});

describe('IPI in the explored world', () => {
  const explore = (order: readonly string[]) => {
    const machine = machineOf(3, costs, true);
    const [sender, other] = [taskOn(machine, 0, 'sender'), taskOn(machine, 2, 'other')];
    const log: string[] = [];
    const handler: InterruptHandler = {
      arrive: (_by, cpu) => log.push(`arrives at ${cpu}`) > 0 && cpu > 1,
      leave: () => {},
    };
    const ipi = machine.createIpi(handler, null);
    const sending = function* () {
      log.push(`interrupted ${yield* ipi.send(sender, setOf([0, 1, 2]))}`);
    };
    const working = function* () {
      yield* compute(other, 1);
      log.push('works');
    };
    machine.start(sender, sending());
    machine.start(other, working());
    const result = machine.runExplored(scheduleInOrder(order), { maxSteps: 100 });
    expect([result.status, result.error]).toEqual(['done', undefined]);
    return log;
  };
  const [one, two] = ['interrupt on CPU 1', 'interrupt on CPU 2'];

  it('arrives at each target when the schedule wants it, and the sender waits for all', () => {
    expect(explore(['sender', 'sender', two, two, one, one])).toEqual([
      'arrives at 2',
      'arrives at 1',
      'interrupted 1',
      'works',
    ]);
    expect(explore(['sender', 'sender', 'other', 'other', one, one])).toEqual([
      'works',
      'arrives at 1',
      'arrives at 2',
      'interrupted 1',
    ]);
  });
});

describe('kick', () => {
  it('arrives like an IPI in the direct world', () => {
    const machine = machineOf(3, costs);
    const sender = taskOn(machine, 0);
    const log: string[] = [];
    const ipi = machine.createIpi(logging(log), null);
    machine.run(sender, ipi.kick(sender, setOf([0, 1, 2])));
    expect(log).toEqual(['3700 arrives at 1', '4400 arrives at 2', 'leaves 1', 'leaves 2']);
    expect([ipi.rounds, ipi.interruptedCpus]).toEqual([1, 1]);
  });

  it('costs the sender no time of the handler in the timed world', () => {
    const machine = machineOf(2, { IPI_CPU: 10 });
    const [sender, target] = [taskOn(machine, 0), taskOn(machine, 1)];
    const ipi = machine.createIpi(
      {
        arrive(_by, cpu) {
          machine.currentOf(cpu)?.spendCycles(Cost.AEX, 300);
          return true;
        },
        leave: () => {},
      },
      null,
    );
    const kicking = function* () {
      yield* compute(sender, 1000);
      yield* ipi.kick(sender, setOf([1]));
    };
    const working = function* () {
      for (let i = 0; i < 3; i++) yield* compute(target, 600);
    };
    machine.start(sender, kicking());
    machine.start(target, working());
    machine.runTimed();
    expect(sender.clock).toBe(1010);
    expect([sender.cycles[Cost.IPI_WAIT], target.cycles[Cost.AEX]]).toEqual([0, 300]);
  });

  it('does not wait for answers in the explored world', () => {
    const machine = machineOf(2, costs, true);
    const sender = taskOn(machine, 0, 'sender');
    const log: string[] = [];
    const ipi = machine.createIpi(logging(log), null);
    const kicking = function* () {
      yield* ipi.kick(sender, setOf([1]));
      log.push('the sender goes on');
    };
    machine.start(sender, kicking());
    const order = ['sender', 'sender', 'interrupt on CPU 1', 'interrupt on CPU 1'];
    const { status } = machine.runExplored(scheduleInOrder(order), { maxSteps: 50 });
    expect(log.map((line) => line.replace(/^\d+ /, ''))).toEqual([
      'the sender goes on',
      'arrives at 1',
      'leaves 1',
    ]);
    expect(status).toBe('done');
  });
});
