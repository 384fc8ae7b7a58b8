import { Access, PageType } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import type { AccessOutcomeId, Preset, UserCpu } from '../../src/index.js';
import { AccessOutcome, createAccessRecord, presets } from '../../src/index.js';
import { Expected, eaccept, put } from './enclave-code.js';
import { brokenInvariants } from './invariants.js';
import { bootedStack, exited } from './selftest.js';
import { TestEnclave } from './test-enclave.js';

// Interleavings that the stress recipes come across, or could, each made on purpose.

describe.each(Object.entries<Preset>(presets))('fork with preset %s', (_name, preset) => {
  // Without the parent's mmap lock a batch could zap the parent alone, find the list as it was, and evict.
  it('leaves no entry of a page that is evicted between the copy and the list (B-15)', () => {
    const epc = bootedStack(preset, { reclaim: { lowPages: 0, highPages: 0 } });
    const [cpu, other] = epc.cpus as [UserCpu, UserCpu];
    const { machine, processes, reclaimer } = epc;
    const encl = new TestEnclave(epc, 'parent', 32);
    const { heap, heapPages } = encl.layout;
    const thread = encl.thread(cpu);
    machine.run(cpu.thread, encl.build(cpu));
    for (let page = heap; page < heap + heapPages; page++) {
      expect(machine.run(cpu.thread, thread.enter(0, put(page, page)))).toEqual(exited(page));
    }
    const evict = () => {
      for (let batch = 0; batch < 6; batch++) machine.run(other.thread, reclaimer.batch(other.thread));
    };
    machine.run(cpu.thread, cpu.enterKernel(encl.process));
    machine.interposer = {
      atPoint: ({ pending }) => {
        // Who holds the lock keeps the batch out.
        const isLocked = encl.process.mm.lock.isHeldBy(cpu.thread);
        if (pending !== encl.enclave.refs.adding || isLocked) return;
        machine.interposer = null;
        evict();
      },
    };
    const child = machine.run(cpu.thread, processes.fork(cpu.thread, encl.process, 'child'));
    machine.interposer = null;
    evict();
    expect(brokenInvariants(epc)).toEqual([]);
    expect(child.mm.table(encl.enclave.id)?.pte.some((entry) => entry !== 0)).toBe(false);
  });
});

describe('a fault that finds a page, which is removed before the fault has the lock', () => {
  /** The outcome of the access. Before the removal it would be refused as trimmed, after it the page would be added. */
  function outcome(preset: Preset): AccessOutcomeId {
    const epc = bootedStack(preset, { reclaim: { lowPages: 0, highPages: 0 } });
    const [cpu, other] = epc.cpus as [UserCpu, UserCpu];
    const { accesses, machine } = epc;
    const encl = new TestEnclave(epc, 'test', 1);
    const { heap } = encl.layout;
    machine.run(other.thread, encl.build(other));
    const trimmed = machine.run(other.thread, encl.modifyTypes(other, heap, 1, PageType.TRIM));
    expect(trimmed.errno).toBe(0);
    const accept = encl.thread(other).enter(0, eaccept(heap, Expected.TRIMMED));
    expect(machine.run(other.thread, accept)).toEqual(exited(0));
    encl.process.mm.table(encl.enclave.id)?.zap(other.thread, heap);
    machine.run(cpu.thread, cpu.load(encl.process));
    machine.interposer = {
      atPoint: ({ pending }) => {
        if (pending !== encl.enclave.lock.acquire) return;
        machine.interposer = null;
        const removed = machine.run(other.thread, encl.removePages(other, heap, 1));
        expect(removed.errno).toBe(0);
      },
    };
    const record = createAccessRecord();
    const access = accesses.access(cpu, encl.enclave, heap, Access.READ, 10, record);
    const result = machine.run(cpu.thread, access);
    expect(machine.interposer).toBeNull();
    expect(brokenInvariants(epc)).toEqual([]);
    return result;
  }

  it('is SIGBUS in Linux', () => {
    expect(outcome(presets['linux-6'])).toBe(AccessOutcome.SIGBUS);
  });

  it('is one of the two with preset epckit: the page is added and waits for EACCEPT', () => {
    expect(outcome(presets.epckit)).toBe(AccessOutcome.EPCM);
  });
});
