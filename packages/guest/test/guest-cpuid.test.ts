import { cpuidToSections } from '@epckit/hardware';
import { describe, expect, it } from 'vitest';
import { HostStack } from './host-stack.js';

const SGX_LEAF = 0x12;
const EPC_BASE = 2 ** 32;
const SECTIONS = [{ pageCount: 8 }, { pageCount: 24, node: 1 }];

describe('CPUID of a guest', () => {
  it('has a sub-leaf for each EPC section: address and size, one behind the other from 4 GiB on', () => {
    const vm = new HostStack().vm({ cpus: [0, 1], sections: SECTIONS });
    for (const vcpu of vm.kvm.vcpus) {
      const { sections, unknown } = cpuidToSections((subLeaf) => vcpu.executeCpuid(SGX_LEAF, subLeaf));
      expect(unknown).toBeNull();
      expect(sections).toEqual([
        { base: EPC_BASE, sizeBytes: 8 * 4096, property: 1 },
        { base: EPC_BASE + 8 * 4096, sizeBytes: 24 * 4096, property: 1 },
      ]);
    }
  });

  it('says where the EPC is, after a reboot too', () => {
    const stack = new HostStack();
    const vm = stack.vm({ epcBasePage: 0x123456 });
    stack.run((thread) => vm.reboot(thread));
    const [section] = cpuidToSections((subLeaf) => vm.vcpuOf(0).executeCpuid(SGX_LEAF, subLeaf)).sections;
    expect(section).toEqual({ base: 0x123456000, sizeBytes: 32 * 4096, property: 1 });
    expect(vm.resolve(section?.base ?? 0)?.page).toBe(0);
  });

  it('has no section if the VMM hides SGX', () => {
    const none = { eax: 0, ebx: 0, ecx: 0, edx: 0 };
    const vm = new HostStack().vm({ cpuid: { leaf7: none, sgxLeaf0: none, sgxLeaf1: none } });
    expect(vm.vcpuOf(0).executeCpuid(SGX_LEAF, 2)).toEqual(none);
  });

  it('cannot have more sections than Linux uses', () => {
    const sections = Array.from({ length: 9 }, () => ({ pageCount: 1 }));
    const details = ['it has 9 EPC sections, and Linux uses 8'];
    expect(() => new HostStack().vm({ sections })).toThrow(expect.objectContaining({ details }));
  });
});
