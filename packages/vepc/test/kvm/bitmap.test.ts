import type { LeafName } from '@epckit/interface';
import { Leaf } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import type { EnclsBitmapInputs, KvmCpuid, KvmCpuidRegisters } from '../../src/index.js';
import { ALL_LEAVES, enclsBitmap, FeatureControl, isIntercepted, KvmVm, SgxMsr } from '../../src/index.js';
import { enabledVcpu, host, none, processor, supported } from './host.js';

const sgx1: LeafName[] = [
  'ECREATE',
  'EADD',
  'EINIT',
  'EREMOVE',
  'EDBGRD',
  'EDBGWR',
  'EEXTEND',
  'ELDB',
  'ELDU',
  'EBLOCK',
  'EPA',
  'EWB',
  'ETRACK',
];
const sgx2: LeafName[] = ['EAUG', 'EMODPR', 'EMODT'];
const never: LeafName[] = ['ERDINFO', 'ETRACKC', 'ELDBC', 'ELDUC', 'EUPDATESVN'];
const encls = [...sgx1, ...sgx2, ...never];

const enabled = FeatureControl.LOCKED | FeatureControl.SGX_ENABLED;
const like: KvmCpuid = { ...processor, sgxLeaf0: { ...(processor.sgxLeaf0 as KvmCpuidRegisters), eax: 3 } };
const base: EnclsBitmapInputs = {
  host: { ...host, cpuid: { ...processor, leaf7: { ...processor.leaf7, ecx: 0 } } },
  cpuid: like,
  featureControl: enabled,
  isProvisioningAllowed: true,
  nested: 0n,
};
const changed = (register: 'sgxLeaf0' | 'sgxLeaf1', change: Partial<KvmCpuidRegisters>): KvmCpuid => ({
  ...like,
  [register]: { ...(like[register] as KvmCpuidRegisters), ...change },
});

const rows: [string, Partial<EnclsBitmapInputs>, LeafName[]][] = [
  ['all that a guest may have', {}, never],
  ['no SGX in CPUID', { cpuid: { ...like, leaf7: none } }, encls],
  ['feature control not locked', { featureControl: FeatureControl.SGX_ENABLED }, encls],
  ['feature control without SGX', { featureControl: FeatureControl.LOCKED }, encls],
  ['SGX1 only', { cpuid: changed('sgxLeaf0', { eax: 1 }) }, [...sgx2, ...never]],
  ['SGX2 without SGX1', { cpuid: changed('sgxLeaf0', { eax: 2 }) }, [...sgx1, ...never]],
  ['no leaf 0x12', { cpuid: { ...like, sgxLeaf0: null } }, encls],
  ['launch control of the host', { host }, ['EINIT', ...never]],
  ['launch control that firmware has locked', { host: { ...host, lockedHash: [0n, 0n, 0n, 0n] } }, never],
  ['no provisioning', { isProvisioningAllowed: false }, ['ECREATE', ...never]],
  ['other MISCSELECT', { cpuid: changed('sgxLeaf0', { ebx: 0 }) }, ['ECREATE', ...never]],
  ['other enclave size', { cpuid: changed('sgxLeaf0', { edx: 0x201f }) }, ['ECREATE', ...never]],
  ['other ATTRIBUTES', { cpuid: changed('sgxLeaf1', { eax: 0x36 }) }, ['ECREATE', ...never]],
  ['other high ATTRIBUTES', { cpuid: changed('sgxLeaf1', { ebx: 1 }) }, ['ECREATE', ...never]],
  ['other XFRM', { cpuid: changed('sgxLeaf1', { ecx: 3 }) }, ['ECREATE', ...never]],
  ['other high XFRM', { cpuid: changed('sgxLeaf1', { edx: 1 }) }, ['ECREATE', ...never]],
  ['no sub-leaf 1', { cpuid: { ...like, sgxLeaf1: null } }, ['ECREATE', ...never]],
  ['a nested guest', { nested: 1n << BigInt(Leaf.EWB) }, ['EWB', ...never]],
];

describe('ENCLS-exiting bitmap', () => {
  it.each(rows)('%s', (_, change, expected) => {
    const bitmap = enclsBitmap({ ...base, ...change });
    const exiting = encls.filter((name) => isIntercepted(bitmap, Leaf[name]));
    expect(exiting.sort()).toEqual([...expected].sort());
    // Numbers that nobody knows exit too.
    expect(bitmap >> 0x14n).toBe(ALL_LEAVES >> 0x14n);
  });

  it('leaves from 63 on share the last bit', () => {
    expect([
      isIntercepted(1n << 63n, 63),
      isIntercepted(1n << 63n, 1000),
      isIntercepted(1n << 62n, 63),
    ]).toEqual([true, true, false]);
  });

  it('leaves of ENCLU and ENCLV are not in it', () => {
    const vcpu = new KvmVm(host).createVcpu();
    const leaves = [Leaf.EUPDATESVN, Leaf.EINCVIRTCHILD, Leaf.EENTER, Leaf.AEX];
    expect(leaves.map((leaf) => vcpu.intercepts(leaf))).toEqual([true, false, false, false]);
  });

  it('a processor that cannot intercept ENCLS intercepts nothing', () => {
    expect(enclsBitmap({ ...base, host: { ...host, hasEnclsExiting: false } })).toBe(0n);
  });

  it('is computed again after CPUID, feature control, provisioning, nesting and reset', () => {
    const vm = new KvmVm(host);
    const vcpu = vm.createVcpu();
    const seen = [vcpu.bitmap];
    const note = () => seen.push(vcpu.bitmap);
    vcpu.writeMsr(SgxMsr.FEATURE_CONTROL, enabled);
    note();
    vcpu.setCpuid({ ...supported, sgxLeaf0: { ...(supported.sgxLeaf0 as KvmCpuidRegisters), eax: 1 } });
    note();
    vcpu.enterNested(1n);
    note();
    vcpu.enterNested(0n);
    vcpu.setCpuid(like);
    vm.enableAttribute('sgx_provision');
    note();
    vcpu.reset();
    note();
    const names = seen.map((bitmap) => encls.filter((name) => !isIntercepted(bitmap, Leaf[name])).length);
    // All of SGX1 and SGX2 but ECREATE and EINIT; then SGX1 alone; then ECREATE free, too.
    expect(names).toEqual([0, 14, 11, 11, 15, 0]);
    expect(enabledVcpu().intercepts(Leaf.ECREATE)).toBe(true);
  });
});
