import type { SecsSource } from '@epckit/interface';
import { Attribute } from '@epckit/interface';
import { MEASUREMENT_WORDS } from './measurement.js';
import { requireLength } from './sigstruct.js';

const CONFIGID_BYTES = 64;

/** What a SECS holds for software and for the package, for reports and invariants (SDM vol. 3D, 38.7). */
export interface EnclaveEntry {
  /** EID: unique until the end of the process that models the machine, also across power cycles. */
  readonly enclaveId: number;
  /** First page of ELRANGE. */
  readonly basePage: number;
  /** Size of ELRANGE in pages. */
  readonly pageCount: number;
  /** Attribute bits, INIT included. */
  readonly attributes: number;
  /** SSA frame size in pages. */
  readonly ssaFrameSize: number;
  /** XFRM. */
  readonly xfrm: bigint;
  /** MISCSELECT. */
  readonly miscSelect: number;
  /** CET_ATTRIBUTES. */
  readonly cetAttributes: number;
  /** CET_LEG_BITMAP_OFFSET in bytes. */
  readonly cetBitmapOffset: bigint;
  /** CONFIGID, 64 bytes; null for zeros. */
  readonly configId: Uint8Array | null;
  /** CONFIGSVN. */
  readonly configSvn: number;
  /** MRENCLAVE as 64 hexadecimal digits; empty before EINIT. */
  readonly measurement: string;
  /** MRSIGNER as 64 hexadecimal digits; empty before EINIT, and after an EINIT that named no signer. */
  readonly signer: string;
  /** ISVPRODID. */
  readonly productId: number;
  /** ISVSVN. */
  readonly securityVersion: number;
}

const EMPTY: EnclaveEntry = {
  enclaveId: 0,
  basePage: 0,
  pageCount: 0,
  attributes: 0,
  ssaFrameSize: 0,
  xfrm: 0n,
  miscSelect: 0,
  cetAttributes: 0,
  cetBitmapOffset: 0n,
  configId: null,
  configSvn: 0,
  measurement: '',
  signer: '',
  productId: 0,
  securityVersion: 0,
};

/**
 * Contents of SECS pages, one slot per SECS that exists in or outside the EPC.
 *
 * An enclave page costs nothing here, and an evicted SECS keeps its slot: what is in the encrypted image
 * (EID, range, INIT, measurement) is simply still there when it comes back.
 */
export class SecsTable {
  readonly #entries: EnclaveEntry[] = [];
  readonly #children: number[] = [];
  readonly #virtualChildren: number[] = [];
  readonly #contexts: number[] = [];
  readonly #dead: boolean[] = [];
  readonly #measurements: Uint32Array[] = [];
  readonly #free: number[] = [];
  #lastEnclaveId = 0;

  /** Number of slots ever used; slots that are free now have EID 0. */
  get slotCount(): number {
    return this.#entries.length;
  }
  /** EID that was given out last, 0 for none. */
  get lastEnclaveId(): number {
    return this.#lastEnclaveId;
  }

  /** Takes a slot for a new SECS and gives it the next EID. INIT is 0. @throws HardwareMisuse for a CONFIGID of other than 64 bytes */
  create(source: SecsSource): number {
    const { configId } = source;
    if (configId !== undefined) requireLength(configId, CONFIGID_BYTES, 'CONFIGID');
    const slot = this.#free.pop() ?? this.#entries.length;
    const { basePage, pageCount, attributes, ssaFrameSize } = source;
    this.#lastEnclaveId++;
    this.#entries[slot] = {
      ...EMPTY,
      enclaveId: this.#lastEnclaveId,
      basePage,
      pageCount,
      attributes: attributes & ~Attribute.INIT,
      ssaFrameSize,
      xfrm: source.xfrm ?? 3n,
      miscSelect: source.miscSelect ?? 0,
      cetAttributes: source.cetAttributes ?? 0,
      cetBitmapOffset: source.cetBitmapOffset ?? 0n,
      configId: configId === undefined ? null : Uint8Array.from(configId),
      configSvn: source.configSvn ?? 0,
    };
    this.#children[slot] = 0;
    this.#virtualChildren[slot] = 0;
    this.#contexts[slot] = 0;
    this.#dead[slot] = false;
    this.#measurements[slot] ??= new Uint32Array(MEASUREMENT_WORDS);
    return slot;
  }
  /** Forgets a SECS for ever. */
  release(slot: number): void {
    this.#entries[slot] = EMPTY;
    this.#free.push(slot);
  }
  /** Forgets all of them; EIDs go on. */
  clear(): void {
    this.#entries.length = 0;
    this.#free.length = 0;
  }

  /** Fields for reports. */
  entry(slot: number): EnclaveEntry {
    return this.#entries[slot] ?? EMPTY;
  }
  /** EID. */
  enclaveId(slot: number): number {
    return this.entry(slot).enclaveId;
  }
  /** Is an attribute bit set? */
  has(slot: number, attribute: number): boolean {
    return (this.entry(slot).attributes & attribute) !== 0;
  }
  /** ATTRIBUTES.INIT. */
  isInitialised(slot: number): boolean {
    return this.has(slot, Attribute.INIT);
  }
  /** Sets ATTRIBUTES.INIT and what EINIT stores. */
  initialise(
    slot: number,
    identity: Pick<EnclaveEntry, 'measurement' | 'signer' | 'productId' | 'securityVersion'>,
  ): void {
    const entry = this.entry(slot);
    this.#entries[slot] = { ...entry, ...identity, attributes: entry.attributes | Attribute.INIT };
  }
  /** Is the page in [BASEADDR, BASEADDR + SIZE)? */
  contains(slot: number, linearPage: number): boolean {
    const { basePage, pageCount } = this.entry(slot);
    return linearPage >= basePage && linearPage < basePage + pageCount;
  }

  /** Valid child pages in the EPC. */
  children(slot: number): number {
    return this.#children[slot] as number;
  }
  /** Adds to the child count. */
  addChildren(slot: number, count: number): void {
    this.#children[slot] = this.children(slot) + count;
  }
  /** VIRTCHILDCNT: children that a host has taken out of the EPC of a guest. */
  virtualChildren(slot: number): number {
    return this.#virtualChildren[slot] as number;
  }
  /** Adds to VIRTCHILDCNT. */
  addVirtualChildren(slot: number, count: number): void {
    this.#virtualChildren[slot] = this.virtualChildren(slot) + count;
  }
  /** ENCLAVECONTEXT. */
  context(slot: number): number {
    return this.#contexts[slot] as number;
  }
  /** Sets ENCLAVECONTEXT. */
  setContext(slot: number, context: number): void {
    this.#contexts[slot] = context;
  }
  /** Was broken memory of the enclave used? Nobody can enter it any more. */
  isDead(slot: number): boolean {
    return this.#dead[slot] as boolean;
  }
  /** Broken memory of the enclave was used. */
  kill(slot: number): void {
    this.#dead[slot] = true;
  }
  /** Running measurement: see `measurement.ts`. */
  measureState(slot: number): Uint32Array {
    return this.#measurements[slot] as Uint32Array;
  }

  /** Slot of the enclave with this EID, or -1. Looks at every slot. */
  find(enclaveId: number): number {
    return enclaveId === 0 ? -1 : this.#entries.findIndex((entry) => entry.enclaveId === enclaveId);
  }
}
