import { InsertingFaultHandler } from '@epckit/vepc/recipes';
import { describe, expect, it } from 'vitest';
import type { EpcOptions } from '../src/index.js';
import { createEpc } from '../src/index.js';

const machine: EpcOptions['machine'] = { cpus: [{ node: 0 }], sections: [{ node: 0, pageCount: 64 }] };

describe('the virtual EPC device of a stack', () => {
  it('is there unless the processor has no VMX', () => {
    expect(createEpc({ machine }).vepc).not.toBeNull();
    expect(createEpc({ machine, vmx: false }).vepc).toBeNull();
  });

  it('is made of the recipes that are given', () => {
    const vepc = {
      faults: (...parts: ConstructorParameters<typeof InsertingFaultHandler>) =>
        new InsertingFaultHandler(...parts),
    };
    expect(createEpc({ machine, vepc }).vepc?.faults).toBeInstanceOf(InsertingFaultHandler);
  });

  it.each([false, true])(
    'maps its pages beside those of an enclave of the same process (checking: %s)',
    (checking) => {
      const epc = createEpc({ machine, checking });
      epc.boot();
      const { driver, machine: cpus, vepc: device } = epc;
      const [{ thread }] = epc.cpus as [(typeof epc.cpus)[0]];
      if (device === null) throw new Error('no device');
      const process = epc.createProcess('vmm');
      const { mm } = process;
      const enclave = epc.processes.open(process);
      const instance = device.open(4);
      if (instance === null) throw new Error('ENOMEM');
      expect(instance.id).not.toBe(enclave.id);
      expect(driver.enclaves()).toContain(enclave);
      cpus.run(thread, device.mapper.map(thread, mm, instance, { start: 0, end: 4, prot: 3 }));
      const fault = function* (page: number) {
        while (mm.lock.mustWaitRead(thread)) yield mm.lock.acquireRead;
        const table = mm.table(instance.id);
        const vma = table?.vmaOf(page);
        if (vma === undefined) throw new Error('not mapped');
        const result = yield* device.faults.fault(thread, mm, vma, instance, page);
        mm.lock.releaseRead(thread);
        return result;
      };
      expect(cpus.run(thread, fault(2))).toBe(0);
      expect(mm.table(instance.id)?.frame(2)).toBe(instance.pages.get(2));
      expect(mm.table(instance.id)?.frame(1)).toBe(-1);
    },
  );
});
