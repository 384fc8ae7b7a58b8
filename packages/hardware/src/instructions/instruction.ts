import type { CpuId, LeafResult, PageIndex } from '@epckit/interface';
import {
  EXIT_FLAG,
  FAULT_FLAG,
  LeafFault,
  NONE,
  PageOperand,
  PageType,
  SecInfo,
  SgxCode,
  SgxConflict,
} from '@epckit/interface';
import { FaultOperand } from '../faults.js';
import type { HardwareModel } from '../hardware-model.js';
import type { PageContents } from '../page-contents.js';
import { PageFaultCode } from '../translate.js';
import type { LinearMemory } from './memory.js';
import { isCanonical, linearPageOf } from './memory.js';
import type { Outcome } from './outcome.js';
import { conflictExit, DONE, fault, GP, Refusal, Vector } from './outcome.js';
import type { Registers } from './registers.js';
import { setCode } from './registers.js';
import type { PageInfo } from './structures.js';
import { decodePageInfo, decodeSecInfo, PAGEINFO_BYTES, SECINFO_BYTES } from './structures.js';

/** What a processor is made of. */
export interface ProcessorComponents {
  /** The EPC; made with {@link ProcessorComponents.contents}, so that pages hold bytes. */
  readonly hardware: HardwareModel;
  /** What the hardware's pages contain. */
  readonly contents: PageContents;
  /** Linear memory. Entries find save state areas through the hardware's page walk, which should lead here too. */
  readonly memory: LinearMemory;
}

/** Addresses of the operands that a leaf function can fault about. */
export interface OperandAddresses {
  /** Main operand: RCX, for entries RBX. */
  readonly page: bigint;
  readonly secs?: bigint;
  readonly va?: bigint;
  readonly source?: bigint;
}

const { PRESENT, WRITE, USER, SGX } = PageFaultCode;
/** Bytes of an abort page: EPC that is read as if it were ordinary memory. */
const ABORT_BYTE = 0xff;

/**
 * One leaf on its way: operands are taken one by one, in the order of the leaf's rows. What is refused ends the leaf by
 * a {@link Refusal}. Of each operand canonical form is judged before alignment [model], alignment before translation,
 * translation before what the EPCM says; an ordinary operand is translated right after its alignment [model].
 * Of an EPC operand the page table must only have a mapping, whatever its rights [model].
 */
export class Instruction {
  readonly cpu: CpuId;
  /** Number of the leaf in `Leaf`. */
  readonly leaf: number;
  readonly registers: Registers;
  readonly hardware: HardwareModel;
  readonly contents: PageContents;
  readonly #memory: LinearMemory;
  readonly #isUser: boolean;

  constructor(
    components: ProcessorComponents,
    cpu: CpuId,
    leaf: number,
    registers: Registers,
    isUser: boolean,
  ) {
    this.cpu = cpu;
    this.leaf = leaf;
    this.registers = registers;
    this.hardware = components.hardware;
    this.contents = components.contents;
    this.#memory = components.memory;
    this.#isUser = isUser;
  }

  /** #GP unless it holds. */
  require(holds: boolean): void {
    if (!holds) throw new Refusal(GP);
  }
  /** #GP unless the address is canonical. */
  requireCanonical(address: bigint): void {
    this.require(isCanonical(address, this.hardware.features.linearAddressBits));
  }
  /** #GP unless the address is canonical and aligned. */
  requireAligned(address: bigint, sizeBytes: number): void {
    this.requireCanonical(address);
    this.require(address % BigInt(sizeBytes) === 0n);
  }

  /** An operand that must lie in the EPC. */
  epcPage(address: bigint): PageIndex {
    const page = this.#present(address, WRITE).page;
    if (!this.#isEpc(page)) throw new Refusal(this.#epcFault(address));
    return page;
  }
  /** An operand that may lie outside the EPC, but must be mapped. */
  mappedPage(address: bigint): PageIndex {
    const { page } = this.#present(address, WRITE);
    return this.#isEpc(page) ? page : PageOperand.OUTSIDE;
  }
  /** An operand that the leaf function judges when it gets there: an EPC page or one of `PageOperand`. */
  pageOperand(address: bigint, alignment: number): PageIndex {
    if (address === 0n) return PageOperand.NULL;
    const { linearAddressBits } = this.hardware.features;
    if (!isCanonical(address, linearAddressBits) || address % BigInt(alignment) !== 0n) {
      return PageOperand.MISALIGNED;
    }
    const page = this.#memory.lookup(this.cpu, linearPageOf(address))?.page ?? NONE;
    return this.#isEpc(page) ? page : PageOperand.OUTSIDE;
  }

  /** Bytes of ordinary memory, within one page. EPC that is reached like this is an abort page and reads as ones [model]. */
  read(address: bigint, sizeBytes: number): Uint8Array {
    const { page, rights } = this.#present(address, 0);
    if ((rights & SecInfo.R) === 0) throw new Refusal(this.#pageFault(address, PRESENT));
    if (this.#isEpc(page)) return new Uint8Array(sizeBytes).fill(ABORT_BYTE);
    return this.#memory.read(this.cpu, address, sizeBytes);
  }
  /** An ordinary #PF unless the page can be written; before anything is changed. */
  requireWritable(address: bigint): void {
    const { rights } = this.#present(address, WRITE);
    if ((rights & SecInfo.W) === 0) throw new Refusal(this.#pageFault(address, PRESENT | WRITE));
  }
  /** Writes what {@link requireWritable} has allowed; an abort page drops it. */
  write(address: bigint, bytes: Uint8Array): void {
    const page = this.#memory.lookup(this.cpu, linearPageOf(address))?.page ?? NONE;
    if (!this.#isEpc(page)) this.#memory.write(this.cpu, address, bytes);
  }
  /** PAGEINFO in ordinary memory. */
  readPageInfo(address: bigint): PageInfo {
    return decodePageInfo(this.read(address, PAGEINFO_BYTES));
  }
  /** SECINFO.FLAGS in ordinary memory, see `decodeSecInfo`. */
  readSecInfo(address: bigint): number {
    return decodeSecInfo(this.read(address, SECINFO_BYTES));
  }

  /** Ends the leaf with what the leaf function has returned. */
  end(result: LeafResult, operands: OperandAddresses): Outcome {
    if ((result & FAULT_FLAG) !== 0) return this.#endFault(result, operands);
    if ((result & EXIT_FLAG) !== 0) return this.#endExit(result, operands);
    setCode(this.registers, this.leaf, result);
    return DONE;
  }
  /** As {@link end} for a leaf that leaves RAX and flags alone. */
  endSilent(result: LeafResult, operands: OperandAddresses): Outcome {
    return result === SgxCode.SUCCESS ? DONE : this.end(result, operands);
  }

  #endFault(result: LeafResult, operands: OperandAddresses): Outcome {
    if (result !== LeafFault.PF) return fault((result & 0xff) as typeof Vector.GP);
    const address = this.#addressOf(operands);
    const isMapped = this.#memory.lookup(this.cpu, linearPageOf(address)) !== null;
    return isMapped ? this.#epcFault(address) : this.#pageFault(address, WRITE);
  }
  #addressOf(operands: OperandAddresses): bigint {
    const { faultOperand, faultLinearPage } = this.hardware;
    if (faultOperand === FaultOperand.SECS) return operands.secs ?? operands.page;
    if (faultOperand === FaultOperand.VA) return operands.va ?? operands.page;
    if (faultOperand === FaultOperand.SOURCE) return operands.source ?? operands.page;
    if (faultOperand === FaultOperand.SAVE_AREA) return BigInt(faultLinearPage) * 4096n;
    return operands.page;
  }
  /** Codes 2 and 3 are about the main operand, 0 and 1 about the enclave. */
  #endExit(result: LeafResult, { page: address }: OperandAddresses): Outcome {
    const code = (result >> 8) & 3;
    const page = this.mappedPage(address);
    const isPage = code === SgxConflict.EPC_PAGE_EXCEPTION || code === SgxConflict.EPC_PAGE_ERROR;
    if (isPage) {
      const error = code === SgxConflict.EPC_PAGE_ERROR ? SgxCode.EPC_PAGE_CONFLICT : 0;
      return conflictExit(code, error, address, BigInt(page) * 4096n);
    }
    return conflictExit(code, 0, 0n, BigInt.asUintN(64, BigInt(this.#contextOf(page))));
  }

  /** ENCLAVECONTEXT of a page's enclave; 0 [model] for a page that ETRACK has not yet found to be no SECS. */
  #contextOf(page: PageIndex): number {
    const { valid, type, secs } = this.hardware.entry(page);
    if (secs !== NONE) return this.hardware.enclaveContext(secs);
    return valid && type === PageType.SECS ? this.hardware.enclaveContext(page) : 0;
  }

  #present(address: bigint, access: number) {
    const mapping = this.#memory.lookup(this.cpu, linearPageOf(address));
    if (mapping === null) throw new Refusal(this.#pageFault(address, access));
    return mapping;
  }
  #isEpc(page: PageIndex): boolean {
    return page >= 0 && page < this.hardware.pageCount;
  }
  /** [model] Error code as KVM makes it (0x8003), whatever the leaf does with the operand; USER at CPL 3. */
  #epcFault(address: bigint): Outcome {
    if (this.hardware.features.epcmFault === 'GP') return GP;
    return this.#pageFault(address, PRESENT | WRITE | SGX);
  }
  #pageFault(address: bigint, code: number): Outcome {
    return fault(Vector.PF, code | (this.#isUser ? USER : 0), address);
  }
}
