import { encodeSecs, INTEL_LAUNCH_KEY_HASH } from '@epckit/hardware';
import type { InitToken, Routine, SigStruct } from '@epckit/interface';
import { Attribute, Cost, Leaf, SgxCode } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import type { EnclsOutcome, GuestMemory, KvmVcpu, Vepc, VepcAddress } from '../../src/index.js';
import {
  EnclsEmulation,
  EnclsExitHandler,
  emulateInsideEnclave,
  KvmVm,
  secsOf,
  Vector,
  VepcFaultResult,
  VirtualLeaves,
} from '../../src/index.js';
import { Stack } from '../stack.js';
import { enabledVcpu, host, oldHost, supported } from './host.js';

const PAGEINFO = 0x1_0000n;
const SECINFO = 0x1_1000n;
const CONTENTS = 0x1_2000n;
const SIGSTRUCT = 0x1_3000n;
const TOKEN = 0x1_4200n;
const SECS = 0x10_0000n;
const registers = { rbx: PAGEINFO, rcx: SECS, rdx: 0n };
const launch = { rbx: SIGSTRUCT, rcx: SECS, rdx: TOKEN };

const inject = (vector: number): EnclsOutcome => ({ kind: 'inject', vector, errorCode: 0, address: null });
const GP = inject(Vector.GP);
const EMULATION: EnclsOutcome = { kind: 'userspace', reason: 'emulation' };
const DONE: EnclsOutcome = { kind: 'skip', rax: null };

/** Guest memory in which linear addresses are physical ones, with one section of EPC. */
class Memory implements GuestMemory {
  readonly bytes = new Map<bigint, Uint8Array>();
  readonly faults = new Map<bigint, boolean>();
  readonly holes = new Set<bigint>();
  readonly unreadable = new Set<bigint>();
  readonly epc: (page: number) => VepcAddress;

  constructor(epc: (page: number) => VepcAddress) {
    this.epc = epc;
  }
  translate(linear: bigint, isWrite: boolean) {
    const onlyOnWrite = this.faults.get(linear);
    if (onlyOnWrite === undefined || (onlyOnWrite && !isWrite)) return { physical: linear };
    return { vector: 14, errorCode: isWrite ? 2 : 0, address: linear };
  }
  slot(physical: bigint) {
    if (this.holes.has(physical)) return null;
    return physical >= SECS ? this.epc(Number((physical - SECS) >> 12n)) : ('memory' as const);
  }
  read(physical: bigint, sizeBytes: number) {
    return this.unreadable.has(physical) ? null : (this.bytes.get(physical) ?? new Uint8Array(sizeBytes));
  }
}

class Guest {
  readonly stack: Stack;
  readonly vepc: Vepc;
  readonly memory: Memory;
  readonly leaves: VirtualLeaves;
  readonly tokens: Uint8Array[] = [];
  readonly emulation: EnclsEmulation;
  isBroken = false;
  onFault = () => {};

  constructor(hashes?: string[]) {
    this.stack = new Stack(hashes === undefined ? {} : { launchKeyHashes: hashes });
    const { stack } = this;
    this.vepc = stack.open();
    this.memory = new Memory((page) => stack.at(this.vepc, page));
    const guest = this;
    this.leaves = new VirtualLeaves({
      leaves: stack.driver.kvm,
      *faultIn(_thread, { page }): Routine<boolean> {
        guest.onFault();
        if (guest.isBroken) return false;
        return (yield* stack.faultOn(stack.thread(), guest.vepc, page)) === VepcFaultResult.NOPAGE;
      },
    });
    this.emulation = new EnclsEmulation(this.leaves, {
      signature: (bytes): SigStruct => (bytes[0] === 1 ? { isWellFormed: false } : {}),
      token: (bytes): InitToken => {
        this.tokens.push(bytes);
        return { isValid: false, measurement: '', signer: '', attributes: 0 };
      },
    });
    this.pointers(CONTENTS, SECINFO);
    this.secs(Attribute.MODE64BIT);
  }

  pointers(contents: bigint, metadata: bigint): void {
    const view = new DataView(new ArrayBuffer(32));
    view.setBigUint64(8, contents, true);
    view.setBigUint64(16, metadata, true);
    this.memory.bytes.set(PAGEINFO, new Uint8Array(view.buffer));
  }

  secs(attributes: number, miscSelect = 0): void {
    const bytes = encodeSecs({ size: 0x1_0000n, base: 0x100_0000n, ssaFrameSize: 1, attributes, miscSelect });
    this.memory.bytes.set(CONTENTS, bytes);
  }

  ecreate(vcpu: KvmVcpu = enabledVcpu(), at = registers): EnclsOutcome {
    return this.stack.run(this.emulation.ecreate(this.stack.thread(), vcpu, at, this.memory));
  }

  einit(vcpu: KvmVcpu = enabledVcpu(), at = launch): EnclsOutcome {
    return this.stack.run(this.emulation.einit(this.stack.thread(), vcpu, at, this.memory));
  }
}

const refusals: [string, (guest: Guest) => void, EnclsOutcome][] = [
  [
    'PROVISIONKEY that is not allowed (S-20)',
    (g) => g.secs(Attribute.MODE64BIT | Attribute.PROVISIONKEY),
    GP,
  ],
  ['MISCSELECT that CPUID does not have', (g) => g.secs(Attribute.MODE64BIT, 4), GP],
  ['SECINFO of another type', (g) => g.memory.bytes.set(SECINFO, new Uint8Array(64).fill(2, 1, 2)), GP],
  ['misaligned SECINFO', (g) => g.pointers(CONTENTS, SECINFO + 32n), GP],
  ['misaligned contents', (g) => g.pointers(CONTENTS + 64n, SECINFO), GP],
  [
    'PAGEINFO not mapped',
    (g) => g.memory.faults.set(PAGEINFO, false),
    { kind: 'inject', vector: 14, errorCode: 0, address: PAGEINFO },
  ],
  ['PAGEINFO that cannot be read', (g) => g.memory.unreadable.add(PAGEINFO), EMULATION],
  [
    'SECS mapped read-only',
    (g) => g.memory.faults.set(SECS, true),
    { kind: 'inject', vector: 14, errorCode: 2, address: SECS },
  ],
  ['contents mapped read-only', (g) => g.memory.faults.set(CONTENTS, true), DONE],
  ['no memory slot of the SECS', (g) => g.memory.holes.add(SECS), EMULATION],
  ['no memory slot of the contents', (g) => g.memory.holes.add(CONTENTS), EMULATION],
  ['no memory slot of SECINFO', (g) => g.memory.holes.add(SECINFO), EMULATION],
  ['contents that cannot be read', (g) => g.memory.unreadable.add(CONTENTS), EMULATION],
  [
    'SECS in ordinary memory',
    (g) => {
      g.memory.slot = () => 'memory';
    },
    { kind: 'inject', vector: 14, errorCode: 0x8003, address: SECS },
  ],
  [
    'SECS in ordinary memory, of an enclave that is forbidden: the checks come first',
    (g) => {
      g.memory.slot = () => 'memory';
      g.secs(Attribute.MODE64BIT | Attribute.PROVISIONKEY);
    },
    GP,
  ],
  [
    'SECS in ordinary memory, and SECINFO of another type: as the leaf looks at them',
    (g) => {
      g.memory.slot = () => 'memory';
      g.memory.bytes.set(SECINFO, new Uint8Array(64).fill(2, 1, 2));
    },
    { kind: 'inject', vector: 14, errorCode: 0x8003, address: SECS },
  ],
];

describe('ECREATE of a guest', () => {
  it('makes a SECS in a page that was never touched, and leaves registers alone', () => {
    const guest = new Guest();
    expect(guest.ecreate()).toEqual(DONE);
    expect(guest.stack.hardware.enclave(guest.vepc.pages.get(0))).toMatchObject({
      basePage: 0x1000,
      pageCount: 16,
    });
  });

  it('is paid for once, although the host repeats it when the page is there', () => {
    const guest = new Guest();
    const { counts } = guest.stack.thread();
    const before = counts[Cost.ECREATE] as number;
    expect(guest.ecreate()).toEqual(DONE);
    expect((counts[Cost.ECREATE] as number) - before).toBe(1);
  });

  it.each(refusals)('%s', (_, change, expected) => {
    const guest = new Guest();
    change(guest);
    expect(guest.ecreate()).toEqual(expected);
    // A refused ECREATE has no effect (V-10).
    if (expected !== DONE) expect(guest.stack.log.leaves).toEqual([]);
  });

  it.each([
    ['PAGEINFO', { ...registers, rbx: PAGEINFO + 8n }],
    ['SECS', { ...registers, rcx: SECS + 64n }],
  ])('misaligned %s', (_, at) => {
    expect(new Guest().ecreate(enabledVcpu(), at)).toEqual(GP);
  });

  it.each([['sgxLeaf0'], ['sgxLeaf1']])('without CPUID %s nothing can be checked', (leaf) => {
    const vcpu = enabledVcpu(host, { ...supported, [leaf]: null });
    const guest = new Guest();
    expect(guest.ecreate(vcpu)).toEqual(EMULATION);
    guest.memory.bytes.set(SECINFO, new Uint8Array(64).fill(2, 1, 2));
    expect(guest.ecreate(vcpu)).toEqual(EMULATION);
  });

  it('executes what it has checked: the guest changes its memory too late (V-09)', () => {
    const guest = new Guest();
    // The SECS page is missing: the host faults it in after the checks, and the guest uses the time.
    guest.onFault = () => {
      const bytes = guest.memory.bytes.get(CONTENTS) as Uint8Array;
      bytes[48] = (bytes[48] as number) | Attribute.PROVISIONKEY;
    };
    expect(guest.ecreate()).toEqual(DONE);
    const { attributes } = guest.stack.hardware.enclave(guest.vepc.pages.get(0));
    expect(attributes & Attribute.PROVISIONKEY).toBe(0);
  });

  it('PROVISIONKEY is fine for a VM that may have it', () => {
    const guest = new Guest();
    guest.secs(Attribute.MODE64BIT | Attribute.PROVISIONKEY);
    expect(guest.ecreate(enabledVcpu(host, supported, true))).toEqual(DONE);
  });

  it('a page that is in use: #GP of the leaf, or the EPCM fault as the guest knows it', () => {
    const guest = new Guest();
    guest.ecreate();
    expect(guest.ecreate()).toEqual({ kind: 'inject', vector: 14, errorCode: 0x8003, address: SECS });
    expect(guest.ecreate(enabledVcpu(oldHost))).toEqual(EMULATION);
  });

  it('a page of the VMM that cannot be had', () => {
    const guest = new Guest();
    guest.isBroken = true;
    expect(guest.ecreate()).toEqual({ kind: 'inject', vector: 14, errorCode: 0x8003, address: SECS });
    expect(guest.ecreate(enabledVcpu(oldHost))).toEqual(EMULATION);
  });
});

describe('EINIT of a guest', () => {
  it('runs with the hash MSRs of the virtual CPU and shows codes', () => {
    const hashes: string[] = [];
    const guest = new Guest(hashes);
    guest.ecreate();
    guest.memory.bytes.set(SIGSTRUCT, new Uint8Array(1808).fill(1, 0, 1));
    expect(guest.einit()).toEqual({ kind: 'skip', rax: SgxCode.INVALID_SIG_STRUCT });
    guest.memory.bytes.set(SIGSTRUCT, new Uint8Array(1808));
    expect(guest.einit()).toEqual({ kind: 'skip', rax: 0 });
    expect(hashes).toEqual([`0 ${INTEL_LAUNCH_KEY_HASH}`, `0 ${INTEL_LAUNCH_KEY_HASH}`]);
  });

  it('the token keeps its offset in the page (V-14)', () => {
    const guest = new Guest();
    guest.ecreate();
    guest.memory.bytes.set(TOKEN, new Uint8Array(304).fill(7));
    guest.einit();
    expect(guest.tokens[0]?.[0]).toBe(7);
  });

  const wrong: [string, Partial<typeof launch>, (guest: Guest) => void, EnclsOutcome][] = [
    ['misaligned SIGSTRUCT', { rbx: SIGSTRUCT + 16n }, () => {}, GP],
    ['misaligned token', { rdx: TOKEN + 256n }, () => {}, GP],
    ['misaligned SECS', { rcx: SECS + 8n }, () => {}, GP],
    [
      'token not mapped',
      {},
      (g) => g.memory.faults.set(TOKEN, false),
      { kind: 'inject', vector: 14, errorCode: 0, address: TOKEN },
    ],
    ['no slot of SIGSTRUCT', {}, (g) => g.memory.holes.add(SIGSTRUCT), EMULATION],
    [
      'no SECS there',
      { rcx: SECS + 0x1000n },
      () => {},
      { kind: 'inject', vector: 14, errorCode: 0x8003, address: SECS + 0x1000n },
    ],
  ];
  it.each(wrong)('%s', (_, at, change, expected) => {
    const guest = new Guest();
    guest.ecreate();
    change(guest);
    expect(guest.einit(enabledVcpu(), { ...launch, ...at })).toEqual(expected);
  });
});

const exits: [string, () => KvmVcpu, number, EnclsOutcome][] = [
  [
    'module off',
    () => new KvmVm({ ...host, isSgxEnabled: false }).createVcpu(),
    Leaf.ECREATE,
    inject(Vector.UD),
  ],
  [
    'guest without SGX',
    () => enabledVcpu(host, { ...supported, leaf7: { eax: 0, ebx: 0, ecx: 0, edx: 0 } }),
    Leaf.ECREATE,
    inject(Vector.UD),
  ],
  [
    'guest without SGX1',
    () => enabledVcpu(host, { ...supported, sgxLeaf0: { eax: 2, ebx: 0, ecx: 0, edx: 0 } }),
    Leaf.EAUG,
    inject(Vector.UD),
  ],
  ['SGX2 leaf without SGX2 (V-12)', () => enabledVcpu(oldHost), Leaf.EAUG, GP],
  ['a leaf of hosts (V-42)', () => enabledVcpu(), Leaf.ERDINFO, GP],
  ['an unknown leaf', () => enabledVcpu(), 0x42, GP],
  ['feature control not set', () => new KvmVm(host).createVcpu(), Leaf.ECREATE, GP],
  ['ECREATE', () => enabledVcpu(), Leaf.ECREATE, { kind: 'skip', rax: 1 }],
  ['EINIT', () => enabledVcpu(), Leaf.EINIT, { kind: 'skip', rax: 2 }],
  ['a leaf that nobody intercepts', () => enabledVcpu(), Leaf.EWB, { kind: 'userspace', reason: 'unknown' }],
];

describe('exits by ENCLS', () => {
  const answer = function* (rax: number): Routine<EnclsOutcome> {
    return { kind: 'skip', rax };
  };
  const run = (vcpu: KvmVcpu, leaf: number, stack = new Stack()) => {
    const handler = new EnclsExitHandler(stack.log);
    const handle = () =>
      stack.run(
        handler.handle(stack.thread(), vcpu, leaf, { ecreate: () => answer(1), einit: () => answer(2) }),
      );
    handle();
    return handle();
  };

  it.each(exits)('%s', (_, vcpu, leaf, expected) => {
    expect(run(vcpu(), leaf)).toEqual(expected);
  });

  it('paging off: #GP', () => {
    const vcpu = enabledVcpu();
    vcpu.isPaging = false;
    expect(run(vcpu, Leaf.ECREATE)).toEqual(GP);
  });

  it('warns once of an exit that nobody has asked for', () => {
    const stack = new Stack();
    run(enabledVcpu(), Leaf.EWB, stack);
    expect(stack.log.events.filter((line) => line.includes('handle_encls'))).toHaveLength(1);
  });

  it('inside an enclave nothing can be emulated', () => {
    expect(emulateInsideEnclave()).toEqual(inject(Vector.UD));
  });
});

it('fields of a SECS', () => {
  const bytes = encodeSecs({
    size: 0x2000n,
    base: 0x4000n,
    ssaFrameSize: 2,
    attributes: 4,
    xfrm: 7n,
    miscSelect: 1,
  });
  expect(secsOf(bytes)).toMatchObject({
    pageCount: 2,
    basePage: 4,
    ssaFrameSize: 2,
    attributes: 4,
    xfrm: 7n,
    miscSelect: 1,
  });
  bytes[40] = 1;
  bytes[53] = 1;
  expect(secsOf(bytes)).toMatchObject({ isReservedZero: false, attributes: 4 + 2 ** 31 });
  bytes[0] = 1;
  expect(secsOf(bytes).pageCount).toBe(2.5);
});
