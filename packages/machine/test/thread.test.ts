import type { CostKey } from '@epckit/interface';
import { COST_COUNT, Cost, Mode, opMode, opObject } from '@epckit/interface';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createMachine } from '../src/index.js';
import { machineOf, taskOn } from './set-up.js';

const total = (cycles: Float64Array): number => cycles.reduce((sum, value) => sum + value, 0);

describe('thread', () => {
  it('runs on its CPU, has the node of it and no address space unless it is given one', () => {
    const machine = createMachine({ cpus: [{ node: 0 }, { node: 3 }] });
    const task = machine.createThread({ name: 'task', cpu: 1, mm: 7 });
    expect([task.id, task.cpu, task.node, task.mm, task.isKernel]).toEqual([1, 1, 3, 7, false]);
    expect(machine.createThread({ name: 'ksgxd', cpu: 0, isKernel: true }).mm).toBe(-1);
    expect(machine.threads.map(({ name }) => name)).toEqual(['task', 'ksgxd']);
  });

  it('cannot be bound to a CPU that the machine has not got', () => {
    expect(() => machineOf(2).createThread({ name: 'task', cpu: 2 })).toThrow('There is no CPU 2.');
    expect(() => createMachine({ cpus: [] })).toThrow('at least one CPU');
  });

  it('charges an operation to its entry and returns the new clock', () => {
    const thread = taskOn(machineOf(1, { EWB: 14_000, ELDU: 13_000 }), 0);
    expect(thread.spend(Cost.EWB)).toBe(14_000);
    expect(thread.spend(Cost.EWB)).toBe(28_000);
    expect(thread.spendCycles(Cost.LOCK_WAIT, 5)).toBe(28_005);
    expect([thread.cycles[Cost.EWB], thread.counts[Cost.EWB]]).toEqual([28_000, 2]);
    expect([thread.cycles[Cost.LOCK_WAIT], thread.counts[Cost.LOCK_WAIT]]).toEqual([5, 1]);
    expect(thread.counts[Cost.ELDU]).toBe(0);
  });

  it('never goes back in time when it waits', () => {
    const thread = taskOn(machineOf(1), 0);
    thread.waitUntil(100, Cost.EVENT_WAIT);
    thread.waitUntil(40, Cost.EVENT_WAIT);
    expect([thread.clock, thread.cycles[Cost.EVENT_WAIT]]).toEqual([100, 100]);
  });

  it('has spent its clock: the cycles of all entries are the time', () => {
    const key = fc.integer({ min: 0, max: COST_COUNT - 1 });
    fc.assert(
      fc.property(fc.array(fc.tuple(key, fc.option(fc.nat(1_000_000)))), (steps) => {
        const thread = taskOn(createMachine({ cpus: [{ node: 0 }] }), 0);
        for (const [step, cycles] of steps) {
          if (cycles === null) thread.spend(step as CostKey);
          else thread.spendCycles(step as CostKey, cycles);
        }
        expect(total(thread.cycles)).toBe(thread.clock);
        expect(total(thread.counts)).toBe(steps.length);
      }),
    );
  });

  it('pays for a turn of a loop and is never told to wait outside of the explored world', () => {
    const thread = taskOn(machineOf(1, { STEP: 1 }), 0);
    expect([thread.turn('walk', 1), thread.turn('walk', 1), thread.turn('walk', 1)]).toEqual([
      false,
      false,
      false,
    ]);
    expect(thread.clock).toBe(3);
  });

  it('announces its signals and changes through objects of its own', () => {
    const machine = machineOf(1);
    const [first, second] = [taskOn(machine, 0, 'a'), taskOn(machine, 0, 'b')];
    expect(opObject(first.signalReading)).not.toBe(opObject(second.signalReading));
    expect(machine.objects.nameOf(opObject(first.signalReading))).toBe('signal of a');
    expect(opMode(first.signalReading)).toBe(Mode.READ);
    expect([opMode(first.changeWaiting), first.changeWaiting]).toEqual([Mode.WAIT, second.changeWaiting]);
  });
});
