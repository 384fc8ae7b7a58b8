import type { Enclave } from '@epckit/enclave';
import { INTEL_LAUNCH_KEY_HASH } from '@epckit/hardware';
import type { Routine } from '@epckit/interface';
import { Attribute, isExit, SgxCode, servedByHost } from '@epckit/interface';
import type { MachineThread } from '@epckit/machine';
import { FeatureControl, hashMsrsOf, SgxMsr } from '@epckit/vepc';
import { describe, expect, it } from 'vitest';
import type { VirtualCpu, VirtualMachine } from '../src/index.js';
import { HostStack } from './host-stack.js';

const SIGNER = '5a'.repeat(32);
const OTHER = 'c3'.repeat(32);
const kernel = { lowPages: 1, highPages: 2 };
const shape = { pageCount: 4, basePage: 0x1000, attributes: Attribute.MODE64BIT };

const threadOf = (vm: VirtualMachine): MachineThread => (vm.cpus[0] as VirtualCpu).thread;

/** The guest's kernel creates an enclave. */
function createdIn(stack: HostStack, vm: VirtualMachine): Enclave {
  const { driver } = vm.kernel;
  const enclave = driver.open();
  expect(stack.guest(vm, driver.create.run(threadOf(vm), enclave, shape))).toBe(0);
  return enclave;
}

/** EINIT of the guest, as a kernel executes it that leaves the MSRs alone. */
function einit(stack: HostStack, vm: VirtualMachine, { secs }: Enclave, signer: string): number | undefined {
  const { hardware } = vm.kernel;
  const thread = threadOf(vm);
  function* routine(): Routine<number> {
    let result: number;
    do result = hardware.einit(thread.cpu, secs, { signer });
    while (isExit(result) && (yield* servedByHost(hardware, thread)));
    return result;
  }
  return stack.guest(vm, routine());
}

/** The guest writes its hash MSRs. @returns whether each was taken */
function writeHash(vm: VirtualMachine, hash: string): boolean[] {
  return hashMsrsOf(hash).map((value, at) => vm.vcpuOf(0).writeMsr(SgxMsr.HASH0 + at, value));
}

/** The guest's kernel creates an enclave and initialises it, with its driver. @returns result of INIT */
function initialised(stack: HostStack, vm: VirtualMachine, signer: string): number | undefined {
  const enclave = createdIn(stack, vm);
  return stack.guest(vm, vm.kernel.driver.init.run(threadOf(vm), enclave, { signer }));
}

/** The same with the driver of the host. */
function nativelyInitialised(stack: HostStack, signer: string): number {
  const enclave = stack.driver.open();
  expect(stack.run((thread) => stack.driver.create.run(thread, enclave, shape))).toBe(0);
  return stack.run((thread) => stack.driver.init.run(thread, enclave, { signer }));
}

const { LOCKED, SGX_ENABLED, LAUNCH_CONTROL } = FeatureControl;

describe.each([[false], [true]])('launch control of a guest, host reclaim %s', (oversub) => {
  it('firmware enables it where CPUID tells of it', () => {
    const vm = new HostStack({ oversub }).vm();
    expect(vm.vcpuOf(0).readMsr(SgxMsr.FEATURE_CONTROL)).toBe(LOCKED | SGX_ENABLED | LAUNCH_CONTROL);
    const stack = new HostStack({ oversub, features: { launchControl: false } });
    expect(stack.vm().vcpuOf(0).readMsr(SgxMsr.FEATURE_CONTROL)).toBe(LOCKED | SGX_ENABLED);
  });

  it('EINIT follows the MSRs of the virtual CPU', () => {
    const stack = new HostStack({ oversub });
    const vm = stack.vm({ kernel });
    const enclave = createdIn(stack, vm);
    expect(einit(stack, vm, enclave, SIGNER)).toBe(SgxCode.INVALID_EINITTOKEN);
    expect(writeHash(vm, OTHER)).toEqual([true, true, true, true]);
    expect(einit(stack, vm, enclave, SIGNER)).toBe(SgxCode.INVALID_EINITTOKEN);
    writeHash(vm, SIGNER);
    expect(einit(stack, vm, enclave, SIGNER)).toBe(SgxCode.SUCCESS);
    expect(stack.violations()).toEqual([]);
  });

  it('each guest has MSRs of its own, and begins with Intel’s after a reboot', () => {
    const stack = new HostStack({ oversub });
    const [one, two] = [0, 1].map((cpu) => stack.vm({ cpus: [cpu], sections: [{ pageCount: 12 }], kernel }));
    const [first, second] = [one, two] as [VirtualMachine, VirtualMachine];
    writeHash(first, SIGNER);
    second.vcpuOf(1).writeMsr(SgxMsr.HASH0, 1n);
    expect(einit(stack, first, createdIn(stack, first), SIGNER)).toBe(SgxCode.SUCCESS);
    expect(einit(stack, second, createdIn(stack, second), SIGNER)).toBe(SgxCode.INVALID_EINITTOKEN);
    expect(einit(stack, first, createdIn(stack, first), SIGNER)).toBe(SgxCode.SUCCESS);
    stack.run((thread) => first.reboot(thread));
    expect(first.vcpuOf(0).launchKeyHash).toBe(INTEL_LAUNCH_KEY_HASH);
    expect(einit(stack, first, createdIn(stack, first), SIGNER)).toBe(SgxCode.INVALID_EINITTOKEN);
  });

  it('drivers of guests and host write the hash of each signer, and do not disturb each other', () => {
    const stack = new HostStack({ oversub });
    const vm = stack.vm({ kernel });
    expect(nativelyInitialised(stack, OTHER)).toBe(0);
    expect(initialised(stack, vm, SIGNER)).toBe(0);
    expect(vm.vcpuOf(0).launchKeyHash).toBe(SIGNER);
    expect(nativelyInitialised(stack, OTHER)).toBe(0);
    expect(nativelyInitialised(stack, INTEL_LAUNCH_KEY_HASH)).toBe(0);
    expect(initialised(stack, vm, OTHER)).toBe(0);
  });

  it('without it only Intel’s signer is launched, by guests and host', () => {
    const stack = new HostStack({ oversub, features: { launchControl: false } });
    const vm = stack.vm({ kernel });
    expect(writeHash(vm, SIGNER)).toEqual([false, false, false, false]);
    const enclave = createdIn(stack, vm);
    expect(einit(stack, vm, enclave, SIGNER)).toBe(SgxCode.INVALID_EINITTOKEN);
    expect(einit(stack, vm, enclave, INTEL_LAUNCH_KEY_HASH)).toBe(SgxCode.SUCCESS);
    expect(initialised(stack, vm, SIGNER)).toBe(-1);
    expect(nativelyInitialised(stack, SIGNER)).toBe(-1);
  });
});
