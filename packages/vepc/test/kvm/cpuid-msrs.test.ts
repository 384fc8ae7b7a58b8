import { INTEL_LAUNCH_KEY_HASH as hashOfProcessor } from '@epckit/hardware';
import { Leaf } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import type { KvmCpuid, KvmCpuidRegisters } from '../../src/index.js';
import {
  FeatureControl,
  hashMsrsOf,
  INTEL_HASH_MSRS,
  INTEL_LAUNCH_KEY_HASH,
  KvmVm,
  SgxMsr,
  supportedCpuid,
} from '../../src/index.js';
import { enabledVcpu, host, none, processor, supported } from './host.js';

const { LOCKED, SGX_ENABLED, LAUNCH_CONTROL } = FeatureControl;

describe('CPUID that KVM supports', () => {
  it('has what the processor has and KVM knows', () => {
    expect(supported).toEqual({
      leaf7: { ...none, ebx: 1 << 2, ecx: 1 << 30 },
      sgxLeaf0: { ...none, eax: 0x803, ebx: 1, edx: 0x241f },
      sgxLeaf1: { ...none, eax: 0xb6, ecx: 0x2e7 },
    });
  });

  it.each<[string, KvmCpuid, boolean]>([
    ['module parameter off (V-17)', processor, false],
    ['processor without SGX', { ...processor, leaf7: none }, true],
  ])('nothing: %s', (_, cpuid, isEnabled) => {
    expect(supportedCpuid(cpuid, isEnabled)).toEqual({ leaf7: none, sgxLeaf0: none, sgxLeaf1: none });
  });

  it('user space may take features away, and add none', () => {
    const vcpu = new KvmVm(host).createVcpu();
    vcpu.setCpuid({ ...supported, sgxLeaf0: { ...(supported.sgxLeaf0 as KvmCpuidRegisters), eax: 1 } });
    expect([vcpu.hasSgx, vcpu.hasSgx2]).toEqual([true, false]);
    expect(() => vcpu.setCpuid(processor)).toThrow(/only SGX features that KVM supports/);
    expect(() => new KvmVm({ ...host, isSgxEnabled: false }).createVcpu(supported)).toThrow(/KVM supports/);
  });

  it('launch control that the host has not cannot be added: EINIT of the guest would not see its MSRs', () => {
    const fixed = { ...host, cpuid: { ...processor, leaf7: { ...processor.leaf7, ecx: 0 } } };
    expect(() => new KvmVm(fixed).createVcpu(supported)).toThrow(/KVM supports/);
    const locked = { ...host, lockedHash: INTEL_HASH_MSRS };
    expect(() => new KvmVm(locked).createVcpu(supported)).toThrow(/KVM supports/);
    expect(new KvmVm(locked).createVcpu().hasLaunchControl).toBe(false);
  });

  it.each<[string, 'sgxLeaf0' | 'sgxLeaf1', Partial<KvmCpuidRegisters>]>([
    ['MISCSELECT', 'sgxLeaf0', { ebx: 3 }],
    ['largest enclaves', 'sgxLeaf0', { edx: 0xffff }],
    ['ATTRIBUTES', 'sgxLeaf1', { eax: 0xfff6 }],
    ['XFRM', 'sgxLeaf1', { ecx: 0xffff_ffff }],
  ])('any %s is taken: every ECREATE is looked at then', (_, leaf, change) => {
    const cpuid = { ...supported, [leaf]: { ...(supported[leaf] as KvmCpuidRegisters), ...change } };
    const vcpu = enabledVcpu(host, cpuid, true);
    expect([vcpu.cpuid, vcpu.intercepts(Leaf.ECREATE)]).toEqual([cpuid, true]);
  });

  it('EPC sections come from user space alone', () => {
    const sections = [{ eax: 0x1001, ebx: 1, ecx: 0x4001, edx: 0 }];
    expect(supportedCpuid({ ...processor, epcSections: sections }, true).epcSections).toBeUndefined();
    const vcpu = new KvmVm(host).createVcpu({ ...supported, epcSections: sections });
    expect([0, 1, 2, 3].map((subLeaf) => vcpu.executeCpuid(0x12, subLeaf))).toEqual([
      supported.sgxLeaf0,
      supported.sgxLeaf1,
      sections[0],
      none,
    ]);
  });

  it('a guest finds nothing in leaves that are not set', () => {
    const vcpu = new KvmVm(host).createVcpu({ ...supported, sgxLeaf0: null, sgxLeaf1: null });
    expect(vcpu.executeCpuid(7, 0)).toEqual(supported.leaf7);
    const empty = [
      [7, 1],
      [0x12, 0],
      [0x12, 1],
      [0x12, 2],
      [0x12, -1],
      [1, 0],
    ] as const;
    expect(empty.map(([leaf, subLeaf]) => vcpu.executeCpuid(leaf, subLeaf))).toEqual(empty.map(() => none));
  });
});

describe('feature-control MSR', () => {
  const write = (cpuid: KvmCpuid, values: bigint[], by: 'guest' | 'host' = 'guest') => {
    const vcpu = new KvmVm(host).createVcpu(cpuid);
    return [
      values.map((value) => vcpu.writeMsr(SgxMsr.FEATURE_CONTROL, value, by)),
      vcpu.readMsr(SgxMsr.FEATURE_CONTROL),
    ];
  };
  const withoutLc = { ...supported, leaf7: { ...none, ebx: 1 << 2 } };

  it.each<[string, KvmCpuid, bigint[], boolean[], bigint]>([
    ['enable and lock', supported, [LOCKED | SGX_ENABLED | LAUNCH_CONTROL], [true], 0x60001n],
    ['not after the lock', supported, [LOCKED, LOCKED | SGX_ENABLED], [true, false], 1n],
    ['again before the lock', supported, [SGX_ENABLED, 0n, SGX_ENABLED], [true, true, true], 0x40000n],
    ['a bit without meaning', supported, [1n << 5n], [false], 0n],
    ['launch control that the guest has not', withoutLc, [LAUNCH_CONTROL], [false], 0n],
    [
      'SGX that the guest has not',
      { leaf7: none, sgxLeaf0: null, sgxLeaf1: null },
      [SGX_ENABLED],
      [false],
      0n,
    ],
  ])('%s', (_, cpuid, values, taken, value) => {
    expect(write(cpuid, values)).toEqual([taken, value]);
  });

  it('user space writes in spite of the lock; reset clears it', () => {
    expect(write(supported, [LOCKED, LOCKED | SGX_ENABLED], 'host')).toEqual([[true, true], 0x40001n]);
    const vcpu = new KvmVm(host).createVcpu();
    vcpu.writeMsr(SgxMsr.FEATURE_CONTROL, LOCKED);
    vcpu.reset();
    expect(vcpu.writeMsr(SgxMsr.FEATURE_CONTROL, LOCKED | SGX_ENABLED)).toBe(true);
  });
});

describe('launch key hash MSRs', () => {
  const withoutLc = { ...supported, leaf7: { ...none, ebx: 1 << 2 } };

  it.each<[string, KvmCpuid, bigint, 'guest' | 'host', boolean, boolean]>([
    ['guest, not locked', supported, 0n, 'guest', true, true],
    ['guest, locked with launch control', supported, LOCKED | LAUNCH_CONTROL, 'guest', true, true],
    ['guest, locked without', supported, LOCKED, 'guest', true, false],
    ['guest without launch control', withoutLc, 0n, 'guest', false, false],
    ['user space', withoutLc, LOCKED, 'host', true, true],
  ])('%s', (_, cpuid, control, by, canRead, canWrite) => {
    const vcpu = new KvmVm(host).createVcpu(cpuid);
    vcpu.writeMsr(SgxMsr.FEATURE_CONTROL, control, 'host');
    for (let at = 0; at < 4; at++) {
      expect(vcpu.readMsr(SgxMsr.HASH0 + at, by)).toBe(canRead ? INTEL_HASH_MSRS[at] : null);
      expect(vcpu.writeMsr(SgxMsr.HASH0 + at, BigInt(at + 1), by)).toBe(canWrite);
      expect(vcpu.readMsr(SgxMsr.HASH0 + at, 'host')).toBe(canWrite ? BigInt(at + 1) : INTEL_HASH_MSRS[at]);
    }
  });

  it('start with Intel’s, the same as those of the processor', () => {
    expect(new KvmVm(host).createVcpu().launchKeyHash).toBe(INTEL_LAUNCH_KEY_HASH);
    expect(INTEL_LAUNCH_KEY_HASH).toBe(hashOfProcessor);
  });

  it('start with the hash of a host that has locked its own', () => {
    const vcpu = new KvmVm({ ...host, lockedHash: [1n, 2n, 3n, 4n] }).createVcpu();
    expect(vcpu.launchKeyHash).toBe([1, 2, 3, 4].map((byte) => `0${byte}00000000000000`).join(''));
  });

  it('are Intel’s again after a reset, whatever the guest has written', () => {
    const vcpu = new KvmVm(host).createVcpu();
    vcpu.writeMsr(SgxMsr.HASH3, 1n);
    vcpu.reset();
    expect(vcpu.launchKeyHash).toBe(INTEL_LAUNCH_KEY_HASH);
  });

  it('hold a hash that is given in the order of memory', () => {
    expect(hashMsrsOf(INTEL_LAUNCH_KEY_HASH)).toEqual(INTEL_HASH_MSRS);
  });

  it('no other number is one of them', () => {
    const vcpu = new KvmVm(host).createVcpu();
    expect([vcpu.readMsr(0x8b), vcpu.readMsr(0x90), vcpu.writeMsr(0x90, 0n)]).toEqual([null, null, false]);
  });
});

describe('provisioning', () => {
  it('needs a file of the provisioning device', () => {
    const vm = new KvmVm(host);
    expect([vm.enableAttribute('other'), vm.isProvisioningAllowed]).toEqual([-22, false]);
    expect([vm.enableAttribute('sgx_provision'), vm.isProvisioningAllowed]).toEqual([0, true]);
  });
});
