import { INTEL_LAUNCH_KEY_HASH } from '@epckit/hardware';
import type { Routine } from '@epckit/interface';
import { Attribute } from '@epckit/interface';
import { expect, it } from 'vitest';
import { createEpc } from '../src/index.js';

const SIGNERS = ['5a', 'c3', '5a'].map((byte) => byte.repeat(32));
const shape = { pageCount: 4, basePage: 0x1000, attributes: Attribute.MODE64BIT };

it('enclaves of any signer start in guests and on the host of a stack, in turns', () => {
  const cpus = [{ node: 0 }, { node: 0 }];
  const epc = createEpc({ machine: { cpus, sections: [{ node: 0, pageCount: 128 }] }, guestReclaim: true });
  epc.boot();
  const { machine, driver, hardware } = epc;
  const [{ thread }] = epc.cpus as [(typeof epc.cpus)[0]];
  const vm = epc.vms.create({ name: 'guest', cpus: [1], sections: [{ pageCount: 32 }] });
  const guest = vm?.cpus[0]?.thread;
  if (vm === null || guest === undefined) throw new Error('ENOMEM');
  expect(machine.run(thread, vm.start(thread))).toBe(0);
  const runInGuest = (routine: Routine<number>) => machine.run(guest, vm.onCpu(guest, routine));
  const runOnHost = (routine: Routine<number>) => machine.run(thread, routine);
  for (const signer of [...SIGNERS, INTEL_LAUNCH_KEY_HASH]) {
    const { driver: guestDriver } = vm.kernel;
    const inGuest = guestDriver.open();
    expect(runInGuest(guestDriver.create.run(guest, inGuest, shape))).toBe(0);
    expect(runInGuest(guestDriver.init.run(guest, inGuest, { signer }))).toBe(0);
    expect(hardware.enclave(vm.epc.resident(inGuest.secs)).signer).toBe(signer);
    const own = driver.open();
    expect(runOnHost(driver.create.run(thread, own, shape))).toBe(0);
    expect(runOnHost(driver.init.run(thread, own, { signer: signer.replaceAll('5', '7') }))).toBe(0);
  }
});
