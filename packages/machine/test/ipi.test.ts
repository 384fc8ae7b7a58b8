import type { CpuSet, Probe } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import type { InterruptHandler } from '../src/index.js';
import { compute, machineOf, scheduleInOrder, taskOn } from './set-up.js';

function setOf(...cpus: number[]): CpuSet {
  const members = new Set(cpus);
  return {
    clear: () => members.clear(),
    add: (cpu) => void members.add(cpu),
    delete: (cpu) => void members.delete(cpu),
    has: (cpu) => members.has(cpu),
    addAll: () => {},
    size: members.size,
    next: (from) => [...members].sort((a, b) => a - b).find((cpu) => cpu >= from) ?? -1,
  };
}

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
    expect(machine.run(sender, ipi.send(sender, setOf(0, 1, 3)))).toBe(1);
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
    machine.run(sender, ipi.send(sender, setOf(1, 2)));
    expect(rounds).toEqual([[sender.id, 1, 2]]);
  });

  it('takes effect after what other CPUs do before it', () => {
    const machine = machineOf(3, costs);
    const [sender, other] = [taskOn(machine, 0), taskOn(machine, 2)];
    const log: string[] = [];
    const ipi = machine.createIpi(logging(log), null);
    machine.start(sender, ipi.send(sender, setOf(2)));
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
      log.push(`interrupted ${yield* ipi.send(sender, setOf(0, 1, 2))}`);
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
