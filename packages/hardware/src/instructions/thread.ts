import type { CpuId, PageIndex } from '@epckit/interface';
import { NONE } from '@epckit/interface';
import type { HardwareModel } from '../hardware-model.js';
import type { ProcessorComponents } from './instruction.js';
import type { FaultOutcome } from './outcome.js';
import { Vector } from './outcome.js';
import type { Registers } from './registers.js';

/** What a logical processor remembers of the thread that runs in the enclave. */
export interface ActiveThread {
  /** Linear address of the TCS. */
  readonly tcsAddress: bigint;
  /** EPC page of the registers in the frame that the next asynchronous exit fills; -1 if it has none. */
  readonly framePage: PageIndex;
}

/** Offsets in the TCS that exits and entries use (SDM vol. 3D, 38.8). */
const TcsOffset = { AEP: 40 } as const;
/** Bytes of GPRSGX, at the end of a frame. */
const GPRSGX_BYTES = 184;
const FRAME_END = 4096;
const GPR = FRAME_END - GPRSGX_BYTES;
/** Offsets in GPRSGX (SDM-2016, 38.9.2; unconfirmed). The model has only these registers. */
const GprOffset = { rax: 0, rcx: 8, rdx: 16, rbx: 24, flags: 128, rip: 136, exitInfo: 160 } as const;
/** EXINFO lies right before GPRSGX: MADDR, ERRCD (SDM-2016, 38.9.1; unconfirmed). */
const EXINFO_BYTES = 16;
const EXINFO = 1;
/** EXITINFO.VALID and EXIT_TYPE 3, hardware exception (SDM-2016, 38.9.2.1; unconfirmed). */
const EXIT_VALID = 0x8000_0000n;
const HARDWARE_EXCEPTION = 3n << 8n;
/** Bits of RFLAGS. */
const FLAG_BITS = { cf: 1n, pf: 4n, af: 0x10n, zf: 0x40n, sf: 0x80n, of: 0x800n } as const;
const FLAG_NAMES = ['cf', 'pf', 'af', 'zf', 'sf', 'of'] as const;
/** RAX after an asynchronous exit: the leaf number of ERESUME. */
const ERESUME = 3n;

/** The thread that a processor has just entered through `tcs`, or that has dropped a frame. */
export function threadAt(
  { hardware, contents, memory }: ProcessorComponents,
  cpu: CpuId,
  tcs: PageIndex,
  tcsAddress: bigint,
): ActiveThread {
  const fields = contents.thread(hardware.entry(tcs).contents);
  if (fields === null) return { tcsAddress, framePage: NONE };
  const { basePage, ssaFrameSize } = hardware.enclave(hardware.insideOf(cpu));
  const first = basePage + Number(fields.saveArea >> 12n) + fields.frame * ssaFrameSize;
  const page = memory.lookup(cpu, first + ssaFrameSize - 1)?.page ?? NONE;
  return { tcsAddress, framePage: isOwn(hardware, cpu, page) ? page : NONE };
}

/** Hardware without a page walk does not check frames, so anything can be there. */
function isOwn(hardware: HardwareModel, cpu: CpuId, page: PageIndex): boolean {
  return page >= 0 && page < hardware.pageCount && hardware.entry(page).secs === hardware.insideOf(cpu);
}

/** AEP of a TCS page. */
export function exitPointerOf({ hardware, contents }: ProcessorComponents, tcs: PageIndex): bigint {
  return contents.read(hardware.entry(tcs).contents, TcsOffset.AEP);
}

/** Registers as an asynchronous exit has saved them in the frame. */
export function restoreRegisters(
  { hardware, contents }: ProcessorComponents,
  framePage: PageIndex,
  registers: Registers,
): void {
  if (framePage === NONE) return;
  const handle = hardware.entry(framePage).contents;
  const at = (offset: number) => contents.read(handle, GPR + offset);
  for (const name of ['rax', 'rbx', 'rcx', 'rdx', 'rip'] as const) registers[name] = at(GprOffset[name]);
  const flags = at(GprOffset.flags);
  for (const name of FLAG_NAMES) registers.flags[name] = (flags & FLAG_BITS[name]) !== 0n;
}

/**
 * Asynchronous exit (SDM vol. 3D, chapter 40): saves the registers, leaves, and shows software what it may see.
 *
 * [model] RDX and the status flags are 0 afterwards (SDM-2016, table 40-1; unconfirmed).
 *
 * @param event the fault that caused it; null for an interrupt
 */
export function exitAsynchronously(
  components: ProcessorComponents,
  cpu: CpuId,
  thread: ActiveThread,
  registers: Registers,
  event: FaultOutcome | null,
): void {
  const { hardware } = components;
  const exitPointer = exitPointerOf(components, hardware.tcsOf(cpu));
  saveRegisters(components, cpu, thread.framePage, registers, event);
  hardware.aex(cpu);
  registers.rax = ERESUME;
  registers.rbx = thread.tcsAddress;
  registers.rcx = exitPointer;
  registers.rdx = 0n;
  registers.rip = exitPointer;
  for (const name of FLAG_NAMES) registers.flags[name] = false;
}

function saveRegisters(
  { hardware, contents }: ProcessorComponents,
  cpu: CpuId,
  framePage: PageIndex,
  registers: Registers,
  event: FaultOutcome | null,
): void {
  if (framePage === NONE || !isOwn(hardware, cpu, framePage)) return;
  const handle = hardware.entry(framePage).contents;
  const put = (offset: number, value: bigint) => void contents.write(handle, offset, value);
  for (const name of ['rax', 'rbx', 'rcx', 'rdx', 'rip'] as const)
    put(GPR + GprOffset[name], registers[name]);
  const flags = FLAG_NAMES.reduce((bits, name) => bits | (registers.flags[name] ? FLAG_BITS[name] : 0n), 2n);
  put(GPR + GprOffset.flags, flags);
  const selectsInfo = (hardware.enclave(hardware.insideOf(cpu)).miscSelect & EXINFO) !== 0;
  const isInfo = event?.vector === Vector.PF || event?.vector === Vector.GP;
  const isNoted = event !== null && (selectsInfo || !isInfo);
  put(GPR + GprOffset.exitInfo, isNoted ? EXIT_VALID | HARDWARE_EXCEPTION | BigInt(event.vector) : 0n);
  if (!selectsInfo || !isInfo || event === null) return;
  put(GPR - EXINFO_BYTES, event.cr2 ?? 0n);
  put(GPR - EXINFO_BYTES + 8, BigInt(event.errorCode));
}
