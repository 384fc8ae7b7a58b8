import type {
  AccessKind,
  AccessMonitor,
  CpuId,
  EpcmCheckResult,
  EpcmEntry,
  LeafId,
  LeafResult,
  ObjectRegistry,
  Op,
  PageIndex,
  PagingBlob,
  Probe,
  SecsSource,
  SigStruct,
  TrackingState,
} from '@epckit/interface';
import { Leaf, Mode, NONE, op } from '@epckit/interface';
import { checkAccess } from './access-check.js';
import { acquireRows, releaseRows } from './acquire.js';
import { HardwareMisuse } from './errors.js';
import type { HardwareModel } from './hardware-model.js';
import { eadd, ecreate, eextend, einit, epa } from './leaves-build.js';
import { aex, eenter, eexit, eresume } from './leaves-entry.js';
import { eblock, etrack, ewb } from './leaves-evict.js';
import { eldu } from './leaves-load.js';
import { eremove } from './leaves-remove.js';
import { measurementOf } from './measurement.js';
import type { Parts } from './parts.js';
import { createParts, losePower } from './parts.js';
import type { EnclaveEntry } from './secs-table.js';

/** Size and switches of {@link createSgxHardware}. */
export interface HardwareOptions {
  /** EPC pages over all sections. */
  readonly pageCount: number;
  /** Logical processors. */
  readonly cpuCount: number;
  /**
   * Keep TCS.STATE and CSSA and refuse an entry through a TCS that is in use, or a resume without a saved
   * frame. `true` if left out; `false` for replaying recordings of a model that has neither.
   */
  readonly tcsState?: boolean | undefined;
}

/** What the hardware needs from its surroundings. */
export interface HardwareComponents {
  /** Gives out the object numbers that the monitor and ops use. */
  readonly objects: ObjectRegistry;
  /** Sees every touched object in the checking mode. */
  readonly monitor: AccessMonitor | null;
  /** Sees every leaf and its result. */
  readonly probe: Pick<Probe, 'leaf'> | null;
}

/**
 * Makes the processor's side of an EPC that holds nothing yet.
 *
 * @throws HardwareMisuse if a count is not a positive integer
 */
export function createSgxHardware(options: HardwareOptions, components: HardwareComponents): HardwareModel {
  const { pageCount, cpuCount, tcsState = true } = options;
  for (const [name, value] of Object.entries({ pageCount, cpuCount })) {
    if (Number.isInteger(value) && value > 0 && value < 2 ** 31) continue;
    throw new HardwareMisuse(
      `${name} must be a positive integer below 2^31.`,
      [`given: ${value}`],
      'Count the EPC pages of all sections, and the logical processors.',
    );
  }
  const { objects, monitor, probe } = components;
  const parts = createParts(pageCount, cpuCount, tcsState, objects, monitor);
  return new TaggedHardware(cpuCount, parts, probe);
}

/** The model on contents tags. Each method runs one leaf and tells the probe. */
class TaggedHardware implements HardwareModel {
  readonly pageCount: number;
  readonly cpuCount: number;
  readonly #parts: Parts;
  readonly #probe: HardwareComponents['probe'];

  constructor(cpuCount: number, parts: Parts, probe: HardwareComponents['probe']) {
    this.pageCount = parts.epcm.pageCount;
    this.cpuCount = cpuCount;
    this.#parts = parts;
    this.#probe = probe;
  }

  get changes(): number {
    return this.#parts.epcm.changes;
  }
  get savedImages(): number {
    return this.#parts.images.count;
  }

  leafAt(page: PageIndex): Op {
    return op(this.#parts.accesses.entryBase + page, Mode.LEAF);
  }
  acquire(cpu: CpuId, leaf: LeafId, page: PageIndex, secs: PageIndex, vaPage: PageIndex): LeafResult {
    if (this.#parts.locks.isHolding(cpu)) {
      throw new HardwareMisuse(
        'A logical processor runs one leaf at a time.',
        [`cpu ${cpu} already holds what its leaf needs`],
        'Call complete(cpu) at the end of the leaf, also when it fails.',
      );
    }
    const result = acquireRows(this.#parts, cpu, leaf, page, secs, vaPage);
    if (result === 0) return 0;
    const isEntry = leaf === Leaf.EENTER || leaf === Leaf.ERESUME;
    return this.#ended(cpu, leaf, isEntry ? this.#ownerOf(page) : page, result, vaPage, NONE);
  }
  complete(cpu: CpuId): void {
    releaseRows(this.#parts, cpu);
  }

  ecreate(cpu: CpuId, target: PageIndex, source: SecsSource): LeafResult {
    return this.#ended(cpu, Leaf.ECREATE, target, ecreate(this.#parts, cpu, target, source), NONE, NONE);
  }
  eadd(
    cpu: CpuId,
    target: PageIndex,
    secs: PageIndex,
    linearPage: number,
    secinfo: number,
    contents: number,
  ): LeafResult {
    const result = eadd(this.#parts, cpu, target, secs, linearPage, secinfo, contents);
    return this.#ended(cpu, Leaf.EADD, target, result, NONE, NONE);
  }
  eextend(cpu: CpuId, page: PageIndex, secs: PageIndex, chunk: number): LeafResult {
    return this.#ended(cpu, Leaf.EEXTEND, page, eextend(this.#parts, cpu, page, secs, chunk), NONE, NONE);
  }
  einit(cpu: CpuId, secs: PageIndex, signature: SigStruct): LeafResult {
    return this.#ended(cpu, Leaf.EINIT, secs, einit(this.#parts, cpu, secs, signature), NONE, NONE);
  }
  eremove(cpu: CpuId, page: PageIndex): LeafResult {
    return this.#ended(cpu, Leaf.EREMOVE, page, eremove(this.#parts, cpu, page), NONE, NONE);
  }
  epa(cpu: CpuId, target: PageIndex): LeafResult {
    return this.#ended(cpu, Leaf.EPA, target, epa(this.#parts, cpu, target), NONE, NONE);
  }
  eblock(cpu: CpuId, page: PageIndex): LeafResult {
    return this.#ended(cpu, Leaf.EBLOCK, page, eblock(this.#parts, cpu, page), NONE, NONE);
  }
  etrack(cpu: CpuId, secs: PageIndex): LeafResult {
    return this.#ended(cpu, Leaf.ETRACK, secs, etrack(this.#parts, cpu, secs), NONE, NONE);
  }
  ewb(cpu: CpuId, page: PageIndex, vaPage: PageIndex, slot: number, blob: PagingBlob): LeafResult {
    return this.#ended(cpu, Leaf.EWB, page, ewb(this.#parts, cpu, page, vaPage, slot, blob), vaPage, slot);
  }
  eldu(
    cpu: CpuId,
    target: PageIndex,
    secs: PageIndex,
    vaPage: PageIndex,
    slot: number,
    blob: Readonly<PagingBlob>,
  ): LeafResult {
    const result = eldu(this.#parts, cpu, target, secs, vaPage, slot, blob);
    return this.#ended(cpu, Leaf.ELDU, target, result, vaPage, slot);
  }
  eenter(cpu: CpuId, tcs: PageIndex, linearPage: number): LeafResult {
    const result = eenter(this.#parts, cpu, tcs, linearPage);
    return this.#ended(cpu, Leaf.EENTER, this.#ownerOf(tcs), result, NONE, NONE);
  }
  eresume(cpu: CpuId, tcs: PageIndex, linearPage: number): LeafResult {
    const result = eresume(this.#parts, cpu, tcs, linearPage);
    return this.#ended(cpu, Leaf.ERESUME, this.#ownerOf(tcs), result, NONE, NONE);
  }
  eexit(cpu: CpuId): LeafResult {
    const secs = this.insideOf(cpu);
    return this.#ended(cpu, Leaf.EEXIT, secs, eexit(this.#parts, cpu), NONE, NONE);
  }
  aex(cpu: CpuId): boolean {
    const secs = this.insideOf(cpu);
    const wasInside = aex(this.#parts, cpu);
    if (wasInside) this.#ended(cpu, Leaf.AEX, secs, 0, NONE, NONE);
    return wasInside;
  }

  insideOf(cpu: CpuId): PageIndex {
    return this.#parts.tracking.activeSecs(cpu);
  }
  tcsOf(cpu: CpuId): PageIndex {
    return this.#parts.tracking.activeTcs(cpu);
  }
  check(secs: PageIndex, page: PageIndex, linearPage: number, kind: AccessKind): EpcmCheckResult {
    return checkAccess(this.#parts, secs, page, linearPage, kind);
  }
  setContents(page: PageIndex, contents: number): void {
    this.#parts.epcm.setContents(page, contents);
    this.#parts.accesses.entry(page, Mode.WRITE);
  }

  entry(page: PageIndex): EpcmEntry {
    return this.#parts.epcm.entry(page);
  }
  isValid(page: PageIndex): boolean {
    return this.#parts.epcm.isValid(page);
  }
  tracking(secs: PageIndex): TrackingState {
    return this.#trackingOfSlot(this.#slotOf(secs));
  }
  trackingOf(enclaveId: number): TrackingState | null {
    const slot = this.#parts.secsTable.find(enclaveId);
    return slot < 0 ? null : this.#trackingOfSlot(slot);
  }
  secsChildren(secs: PageIndex): number {
    return this.#parts.secsTable.children(this.#slotOf(secs));
  }
  enclave(secs: PageIndex): EnclaveEntry {
    return this.#parts.secsTable.entry(this.#slotOf(secs));
  }
  measurement(secs: PageIndex): string {
    return measurementOf(this.#parts.secsTable, this.#slotOf(secs));
  }
  occupiedSlots(vaPage: PageIndex): number {
    const { epcm, versions } = this.#parts;
    return epcm.isVersionArray(vaPage) ? versions.occupied(epcm.link(vaPage)) : 0;
  }
  powerCycle(): void {
    losePower(this.#parts);
    this.#parts.accesses.everything(Mode.WRITE);
  }

  #trackingOfSlot(slot: number): TrackingState {
    const { tracking, secsTable } = this.#parts;
    return {
      epoch: tracking.cycles(slot),
      current: tracking.current(slot),
      previous: tracking.previous(slot),
      children: secsTable.children(slot),
    };
  }

  #slotOf(secs: PageIndex): number {
    const { epcm } = this.#parts;
    if (epcm.isEpc(secs) && epcm.isSecs(secs)) return epcm.link(secs);
    throw new HardwareMisuse(
      'The page is not a valid SECS.',
      [`page ${secs} of ${this.pageCount}`],
      'Ask only for pages that ECREATE or ELDU has made a SECS and that were not evicted or removed since.',
    );
  }

  #ownerOf(page: PageIndex): PageIndex {
    const { epcm } = this.#parts;
    return epcm.isEpc(page) && epcm.isChild(page) ? epcm.link(page) : NONE;
  }

  #ended(
    cpu: CpuId,
    leaf: LeafId,
    page: PageIndex,
    result: LeafResult,
    vaPage: PageIndex,
    slot: number,
  ): LeafResult {
    if (this.#probe !== null) this.#probe.leaf(cpu, leaf, page, result, vaPage, slot);
    return result;
  }
}
