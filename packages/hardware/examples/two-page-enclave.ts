// A two-page enclave, instruction by instruction: registers, addresses and bytes as system software gives them.
import type { Outcome } from '@epckit/hardware';
import {
  createProcessor,
  createRegisters,
  createSgxHardware,
  encodePageInfo,
  encodeSecInfo,
  encodeSecs,
  FlatMemory,
} from '@epckit/hardware';
import { realContents } from '@epckit/hardware/real';
import { Attribute, Leaf, leafNames, PageType, SecInfo, sgxCodeNames } from '@epckit/interface';

const BASE = 0x4000_0000n;
/** These leave RAX as it was. */
const withoutCode: readonly number[] = [Leaf.ECREATE, Leaf.EADD, Leaf.EPA];
const [SECS, TCS, DATA, VA, FREE] = [0, 1, 2, 3, 4];
const [INFO, SECINFO, IMAGE, PCMD] = [0x1000n, 0x1040n, 0x2000n, 0x3000n];

const memory = new FlatMemory({ pageCount: 8, windowBase: 0x1000_0000_0000n });
for (const address of [INFO, IMAGE, PCMD]) memory.mapOrdinary(address);
const contents = realContents();
const hardware = createSgxHardware(
  { pageCount: 8, cpuCount: 1 },
  {
    objects: { range: () => 0, nameOf: String },
    monitor: null,
    probe: null,
    contents,
  },
);
const processor = createProcessor({ hardware, contents, memory });

/** Executes ENCLS and prints what came of it. */
function encls(leaf: number, page: number, rest: { rbx?: bigint; rdx?: bigint } = {}): void {
  const registers = createRegisters({ rax: BigInt(leaf), rcx: memory.epcAddress(page), ...rest });
  print(leaf, processor.encls(0, registers), Number(registers.rax));
}
function print(leaf: number, outcome: Outcome, rax: number): void {
  const name = (leafNames[leaf] ?? `leaf ${leaf}`).padEnd(8);
  if (outcome.kind === 'fault') console.log(`${name} fault ${outcome.vector}`);
  else if (outcome.kind === 'exit') console.log(`${name} VM exit ${outcome.reason}`);
  else if (withoutCode.includes(leaf) || rax === 0) console.log(`${name} ok`);
  else console.log(`${name} ${rax} ${sgxCodeNames[rax]}`);
}
/** Writes PAGEINFO and SECINFO; returns the address for RBX. */
function pageInfo(linearAddress: bigint, secinfo: number, secs: bigint): { rbx: bigint } {
  memory.write(0, INFO, encodePageInfo({ linearAddress, source: IMAGE, metadata: SECINFO, secs }));
  memory.write(0, SECINFO, encodeSecInfo(secinfo));
  return { rbx: INFO };
}

memory.write(
  0,
  IMAGE,
  encodeSecs({ size: 0x2000n, base: BASE, ssaFrameSize: 1, attributes: Attribute.MODE64BIT }),
);
encls(Leaf.ECREATE, SECS, pageInfo(0n, PageType.SECS << SecInfo.TYPE_SHIFT, 0n));
const secs = memory.epcAddress(SECS);
memory.write(0, IMAGE, new Uint8Array(4096));
encls(Leaf.EADD, TCS, pageInfo(BASE, PageType.TCS << SecInfo.TYPE_SHIFT, secs));
memory.write(0, IMAGE, new TextEncoder().encode('secret'));
const data = SecInfo.R | SecInfo.W | (PageType.REG << SecInfo.TYPE_SHIFT);
encls(Leaf.EADD, DATA, pageInfo(BASE + 0x1000n, data, secs));
encls(Leaf.EADD, FREE, pageInfo(BASE + 0x2000n, data, secs)); // first error: outside ELRANGE
encls(Leaf.EPA, VA, { rbx: 3n });

// Evict the data page. PAGEINFO.LINADDR is 0 on the way in; EWB writes the address there.
const slot = memory.epcAddress(VA); // the first of 512
memory.write(0, INFO, encodePageInfo({ linearAddress: 0n, source: IMAGE, metadata: PCMD, secs: 0n }));
encls(Leaf.EBLOCK, DATA);
encls(Leaf.EWB, DATA, { rbx: INFO, rdx: slot }); // second error: nobody has tracked it
encls(Leaf.ETRACK, SECS);
encls(Leaf.EWB, DATA, { rbx: INFO, rdx: slot });

// Reload it: first with one flipped bit, which is the third error.
memory.write(0, INFO, encodePageInfo({ linearAddress: BASE + 0x1000n, source: IMAGE, metadata: PCMD, secs }));
const [byte = 0] = memory.read(0, IMAGE, 1);
memory.write(0, IMAGE, Uint8Array.of(byte ^ 1));
encls(Leaf.ELDU, FREE, { rbx: INFO, rdx: slot });
memory.write(0, IMAGE, Uint8Array.of(byte));
encls(Leaf.ELDU, FREE, { rbx: INFO, rdx: slot });
const bytes = contents.bytes(hardware.entry(FREE).contents);
console.log(`in page ${FREE}: ${new TextDecoder().decode(bytes.subarray(0, 6))}`);
console.log(`MRENCLAVE so far: ${hardware.measurement(SECS)}`);
