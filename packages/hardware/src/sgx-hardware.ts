import type {
  AccessKind,
  CpuId,
  DebugWord,
  EpcmCheckResult,
  EpcmEntry,
  InitToken,
  LeafId,
  LeafResult,
  Op,
  PageIndex,
  PagingBlob,
  RdInfo,
  SecsSource,
  SigStruct,
  TrackingState,
} from '@epckit/interface';
import { Leaf, Mode, NONE, op } from '@epckit/interface';
import { checkAccess } from './access-check.js';
import { acquireRows, releaseRows } from './acquire.js';
import { AnnouncedLeaves } from './announced-leaves.js';
import { HardwareMisuse, requireCounts, requireIndex } from './errors.js';
import type { FaultOperandId } from './faults.js';
import { FaultOperand } from './faults.js';
import type { SgxFeatures } from './features.js';
import { resolveFeatures } from './features.js';
import type { HardwareModel } from './hardware-model.js';
import type { HardwareComponents, HardwareOptions } from './hardware-options.js';
import { eaccept, eacceptcopy, emodpe, refuseSecinfoPage } from './leaves-accept.js';
import { eadd, ecreate, eextend, epa } from './leaves-build.js';
import { edbgrd, edbgwr } from './leaves-debug.js';
import { aex, edeccssa, eenter, eexit, eresume } from './leaves-entry.js';
import { eblock, etrack, etrackc, ewb, isUntracked } from './leaves-evict.js';
import { edecvirtchild, eincvirtchild, erdinfo, esetcontext, eupdatesvn } from './leaves-host.js';
import { einit } from './leaves-init.js';
import type { LoadKind } from './leaves-load.js';
import { LoadKinds, load } from './leaves-load.js';
import { eaug, emodpr, emodt } from './leaves-modify.js';
import { eremove } from './leaves-remove.js';
import { measurementOf } from './measurement.js';
import type { Parts } from './parts.js';
import { createParts, losePower } from './parts.js';
import type { Platform } from './platform.js';
import type { EnclaveEntry } from './secs-table.js';
import { TagContents } from './tag-contents.js';
import { TimedLeaves } from './timed-leaves.js';
import type { StaleTranslation } from './tlbs.js';
import type { PageMapping, TranslatedId } from './translate.js';
import { translate } from './translate.js';

/**
 * Makes the processor's side of an EPC that holds nothing yet.
 *
 * @throws HardwareMisuse if a count is not a positive integer, or for features that no CPUID could report
 */
export function createSgxHardware(options: HardwareOptions, components: HardwareComponents): HardwareModel {
  const { pageCount, cpuCount, tcsState = true } = options;
  requireCounts({ pageCount, cpuCount });
  const { contents = new TagContents(), walk = null } = components;
  const features = resolveFeatures(options.features);
  const keepsTlbs = options.keepsTlbs ?? false;
  const parts = createParts(
    { pageCount, cpuCount, tcsState, features, contents, keepsTlbs, walk },
    components,
  );
  return new ModelledHardware(cpuCount, parts, components);
}

/** Each method runs one leaf and tells the probe. Leaves that the features do not have end in #GP. */
class ModelledHardware implements HardwareModel {
  readonly pageCount: number;
  readonly cpuCount: number;
  readonly #parts: Parts;
  readonly overlaps: AnnouncedLeaves;
  readonly #probe: HardwareComponents['probe'];
  /** Null: leaves take no time. */
  readonly #timed: TimedLeaves | null;

  constructor(cpuCount: number, parts: Parts, { probe, times }: HardwareComponents) {
    this.pageCount = parts.epcm.pageCount;
    this.cpuCount = cpuCount;
    this.#parts = parts;
    this.overlaps = new AnnouncedLeaves(parts, cpuCount);
    this.#probe = probe;
    this.#timed = times === undefined ? null : new TimedLeaves(parts, cpuCount, times);
  }

  get changes(): number {
    return this.#parts.epcm.changes;
  }
  get savedImages(): number {
    return this.#parts.images.count;
  }
  get lastEnclaveId(): number {
    return this.#parts.secsTable.lastEnclaveId;
  }
  get lastVersion(): number {
    return this.#parts.versionCounter.last;
  }
  get features(): SgxFeatures {
    return this.#parts.features;
  }
  get platform(): Platform {
    return this.#parts.platform;
  }
  get faultOperand(): FaultOperandId {
    return this.#parts.faults.operand;
  }
  get faultLinearPage(): number {
    return this.#parts.faults.linearPage;
  }
  get staleTranslations(): readonly StaleTranslation[] {
    return this.#parts.tlbs?.stale ?? [];
  }

  leafAt(page: PageIndex, cpu?: CpuId, leaf?: LeafId, secs: PageIndex = NONE, vaPage: PageIndex = NONE): Op {
    if (cpu !== undefined && leaf !== undefined) {
      this.overlaps.announce(cpu, leaf, page, secs, vaPage);
      if (this.#timed !== null) this.#timed.announce(cpu, leaf, page, secs, vaPage);
    }
    return op(this.#parts.accesses.entryBase + page, Mode.LEAF);
  }
  boundAnnouncement(cpu: CpuId, isReachable: () => boolean): void {
    this.overlaps.bound(cpu, isReachable);
    this.#timed?.bound(cpu, isReachable);
  }
  withdraw(cpu: CpuId): void {
    this.overlaps.ended(cpu);
    this.#timed?.withdraw(cpu);
  }
  acquire(cpu: CpuId, leaf: LeafId, page: PageIndex, secs: PageIndex, vaPage: PageIndex): LeafResult {
    requireIndex(cpu, this.cpuCount, 'The logical processor');
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
    const result =
      this.#begin(cpu, Leaf.ECREATE, target, NONE, NONE) || ecreate(this.#parts, cpu, target, source);
    return this.#ended(cpu, Leaf.ECREATE, target, result, NONE, NONE);
  }
  eadd(
    cpu: CpuId,
    target: PageIndex,
    secs: PageIndex,
    linearPage: number,
    secinfo: number,
    contents: number,
  ): LeafResult {
    const refusal = this.#begin(cpu, Leaf.EADD, target, secs, NONE);
    const result = refusal || eadd(this.#parts, cpu, target, secs, linearPage, secinfo, contents);
    return this.#ended(cpu, Leaf.EADD, target, result, NONE, NONE);
  }
  eextend(cpu: CpuId, page: PageIndex, secs: PageIndex, chunk: number): LeafResult {
    const result =
      this.#begin(cpu, Leaf.EEXTEND, page, secs, NONE) || eextend(this.#parts, cpu, page, secs, chunk);
    return this.#ended(cpu, Leaf.EEXTEND, page, result, NONE, NONE);
  }
  eaddBytes(
    cpu: CpuId,
    target: PageIndex,
    secs: PageIndex,
    linearPage: number,
    secinfo: number,
    bytes: Uint8Array,
  ): LeafResult {
    const refusal = this.#begin(cpu, Leaf.EADD, target, secs, NONE);
    const result = refusal || eadd(this.#parts, cpu, target, secs, linearPage, secinfo, bytes);
    return this.#ended(cpu, Leaf.EADD, target, result, NONE, NONE);
  }
  einit(cpu: CpuId, secs: PageIndex, signature: SigStruct, token?: InitToken): LeafResult {
    const result =
      this.#begin(cpu, Leaf.EINIT, secs, NONE, NONE) || einit(this.#parts, cpu, secs, signature, token);
    return this.#ended(cpu, Leaf.EINIT, secs, result, NONE, NONE);
  }
  eremove(cpu: CpuId, page: PageIndex): LeafResult {
    const result = this.#begin(cpu, Leaf.EREMOVE, page, NONE, NONE) || eremove(this.#parts, cpu, page);
    return this.#ended(cpu, Leaf.EREMOVE, page, result, NONE, NONE);
  }
  epa(cpu: CpuId, target: PageIndex): LeafResult {
    const result = this.#begin(cpu, Leaf.EPA, target, NONE, NONE) || epa(this.#parts, cpu, target);
    return this.#ended(cpu, Leaf.EPA, target, result, NONE, NONE);
  }
  eblock(cpu: CpuId, page: PageIndex): LeafResult {
    const result = this.#begin(cpu, Leaf.EBLOCK, page, NONE, NONE) || eblock(this.#parts, cpu, page);
    return this.#ended(cpu, Leaf.EBLOCK, page, result, NONE, NONE);
  }
  etrack(cpu: CpuId, secs: PageIndex): LeafResult {
    const result = this.#begin(cpu, Leaf.ETRACK, secs, NONE, NONE) || etrack(this.#parts, cpu, secs);
    return this.#ended(cpu, Leaf.ETRACK, secs, result, NONE, NONE);
  }
  ewb(cpu: CpuId, page: PageIndex, vaPage: PageIndex, slot: number, blob: PagingBlob): LeafResult {
    const refusal = this.#begin(cpu, Leaf.EWB, page, NONE, vaPage);
    const result = refusal || ewb(this.#parts, cpu, page, vaPage, slot, blob);
    return this.#ended(cpu, Leaf.EWB, page, result, vaPage, slot);
  }
  eldb(
    cpu: CpuId,
    target: PageIndex,
    secs: PageIndex,
    vaPage: PageIndex,
    slot: number,
    blob: Readonly<PagingBlob>,
  ): LeafResult {
    return this.#load(Leaf.ELDB, LoadKinds.ELDB, cpu, target, secs, vaPage, slot, blob);
  }
  eldu(
    cpu: CpuId,
    target: PageIndex,
    secs: PageIndex,
    vaPage: PageIndex,
    slot: number,
    blob: Readonly<PagingBlob>,
  ): LeafResult {
    return this.#load(Leaf.ELDU, LoadKinds.ELDU, cpu, target, secs, vaPage, slot, blob);
  }
  eldbc(
    cpu: CpuId,
    target: PageIndex,
    secs: PageIndex,
    vaPage: PageIndex,
    slot: number,
    blob: Readonly<PagingBlob>,
  ): LeafResult {
    return this.#load(Leaf.ELDBC, LoadKinds.ELDBC, cpu, target, secs, vaPage, slot, blob);
  }
  elduc(
    cpu: CpuId,
    target: PageIndex,
    secs: PageIndex,
    vaPage: PageIndex,
    slot: number,
    blob: Readonly<PagingBlob>,
  ): LeafResult {
    return this.#load(Leaf.ELDUC, LoadKinds.ELDUC, cpu, target, secs, vaPage, slot, blob);
  }
  etrackc(cpu: CpuId, page: PageIndex): LeafResult {
    const result = this.#begin(cpu, Leaf.ETRACKC, page, NONE, NONE) || etrackc(this.#parts, cpu, page);
    return this.#ended(cpu, Leaf.ETRACKC, page, result, NONE, NONE);
  }
  erdinfo(cpu: CpuId, page: PageIndex, info: RdInfo): LeafResult {
    const result = this.#begin(cpu, Leaf.ERDINFO, page, NONE, NONE) || erdinfo(this.#parts, cpu, page, info);
    return this.#ended(cpu, Leaf.ERDINFO, page, result, NONE, NONE);
  }
  eaug(cpu: CpuId, target: PageIndex, secs: PageIndex, linearPage: number, secinfo: number): LeafResult {
    const refusal = this.#begin(cpu, Leaf.EAUG, target, secs, NONE);
    const result = refusal || eaug(this.#parts, cpu, target, secs, linearPage, secinfo);
    return this.#ended(cpu, Leaf.EAUG, target, result, NONE, NONE);
  }
  emodpr(cpu: CpuId, page: PageIndex, secinfo: number): LeafResult {
    const result = this.#begin(cpu, Leaf.EMODPR, page, NONE, NONE) || emodpr(this.#parts, cpu, page, secinfo);
    return this.#ended(cpu, Leaf.EMODPR, page, result, NONE, NONE);
  }
  emodt(cpu: CpuId, page: PageIndex, secinfo: number): LeafResult {
    const result = this.#begin(cpu, Leaf.EMODT, page, NONE, NONE) || emodt(this.#parts, cpu, page, secinfo);
    return this.#ended(cpu, Leaf.EMODT, page, result, NONE, NONE);
  }
  edbgrd(cpu: CpuId, page: PageIndex, offset: number, word: DebugWord): LeafResult {
    const refusal = this.#begin(cpu, Leaf.EDBGRD, page, NONE, NONE);
    const result = refusal || edbgrd(this.#parts, cpu, page, offset, word);
    return this.#ended(cpu, Leaf.EDBGRD, page, result, NONE, NONE);
  }
  edbgwr(cpu: CpuId, page: PageIndex, offset: number, value: bigint): LeafResult {
    const refusal = this.#begin(cpu, Leaf.EDBGWR, page, NONE, NONE);
    const result = refusal || edbgwr(this.#parts, cpu, page, offset, value);
    return this.#ended(cpu, Leaf.EDBGWR, page, result, NONE, NONE);
  }
  eupdatesvn(cpu: CpuId): LeafResult {
    return this.#ended(cpu, Leaf.EUPDATESVN, NONE, eupdatesvn(this.#parts, cpu), NONE, NONE);
  }
  eincvirtchild(cpu: CpuId, page: PageIndex, secs: PageIndex): LeafResult {
    return this.#ended(
      cpu,
      Leaf.EINCVIRTCHILD,
      page,
      eincvirtchild(this.#parts, cpu, page, secs),
      NONE,
      NONE,
    );
  }
  edecvirtchild(cpu: CpuId, page: PageIndex, secs: PageIndex): LeafResult {
    return this.#ended(
      cpu,
      Leaf.EDECVIRTCHILD,
      page,
      edecvirtchild(this.#parts, cpu, page, secs),
      NONE,
      NONE,
    );
  }
  esetcontext(cpu: CpuId, secs: PageIndex, context: number): LeafResult {
    return this.#ended(cpu, Leaf.ESETCONTEXT, secs, esetcontext(this.#parts, cpu, secs, context), NONE, NONE);
  }
  eaccept(cpu: CpuId, page: PageIndex, linearPage: number, secinfo: number): LeafResult {
    const refusal = this.#begin(cpu, Leaf.EACCEPT, page, NONE, NONE);
    const result = refusal || eaccept(this.#parts, cpu, page, linearPage, secinfo);
    return this.#ended(cpu, Leaf.EACCEPT, page, result, NONE, NONE);
  }
  emodpe(cpu: CpuId, page: PageIndex, linearPage: number, secinfo: number): LeafResult {
    const refusal = this.#begin(cpu, Leaf.EMODPE, page, NONE, NONE);
    const result = refusal || emodpe(this.#parts, cpu, page, linearPage, secinfo);
    return this.#ended(cpu, Leaf.EMODPE, page, result, NONE, NONE);
  }
  eacceptcopy(
    cpu: CpuId,
    page: PageIndex,
    linearPage: number,
    source: PageIndex,
    sourceLinearPage: number,
    secinfo: number,
  ): LeafResult {
    const refusal = this.#begin(cpu, Leaf.EACCEPTCOPY, page, NONE, NONE);
    const result =
      refusal || eacceptcopy(this.#parts, cpu, page, linearPage, source, sourceLinearPage, secinfo);
    return this.#ended(cpu, Leaf.EACCEPTCOPY, page, result, NONE, NONE);
  }
  edeccssa(cpu: CpuId): LeafResult {
    const secs = this.insideOf(cpu);
    return this.#ended(cpu, Leaf.EDECCSSA, secs, edeccssa(this.#parts, cpu), NONE, NONE);
  }
  eenter(cpu: CpuId, tcs: PageIndex, linearPage: number): LeafResult {
    const refusal = this.#begin(cpu, Leaf.EENTER, tcs, NONE, NONE);
    const result = refusal || eenter(this.#parts, cpu, tcs, linearPage);
    return this.#ended(cpu, Leaf.EENTER, this.#ownerOf(tcs), result, NONE, NONE);
  }
  eresume(cpu: CpuId, tcs: PageIndex, linearPage: number): LeafResult {
    const refusal = this.#begin(cpu, Leaf.ERESUME, tcs, NONE, NONE);
    const result = refusal || eresume(this.#parts, cpu, tcs, linearPage);
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

  isUntracked(page: PageIndex, alsoInside: boolean): boolean {
    return isUntracked(this.#parts, page, alsoInside);
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
    const { epcm, contents: store, accesses } = this.#parts;
    const before = epcm.contents(page);
    epcm.setContents(page, store.adopt(contents));
    store.release(before);
    accesses.entry(page, Mode.WRITE);
  }
  refuseSecinfoPage(cpu: CpuId, page: PageIndex, linearPage: number): LeafResult {
    return refuseSecinfoPage(this.#parts, cpu, page, linearPage, FaultOperand.PAGE);
  }
  access(cpu: CpuId, linearPage: number, mapping: PageMapping | null, kind: AccessKind): TranslatedId {
    return translate(this.#parts, cpu, linearPage, mapping, kind);
  }
  within<T>(cpu: CpuId, secs: PageIndex, action: () => T): T {
    const { tracking } = this.#parts;
    const before = tracking.pretend(cpu, secs);
    try {
      return action();
    } finally {
      tracking.pretend(cpu, before);
    }
  }
  setExtended(cpu: CpuId, extended: boolean): void {
    requireIndex(cpu, this.cpuCount, 'The logical processor');
    this.#parts.locks.setExtended(cpu, extended);
  }
  poison(page: PageIndex): void {
    requireIndex(page, this.pageCount, 'The EPC page');
    this.#parts.epcm.poison(page);
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
  virtualChildren(secs: PageIndex): number {
    return this.#parts.secsTable.virtualChildren(this.#slotOf(secs));
  }
  enclaveContext(secs: PageIndex): number {
    return this.#parts.secsTable.context(this.#slotOf(secs));
  }
  versionIn(vaPage: PageIndex, slot: number): number {
    const { epcm, versions } = this.#parts;
    return epcm.isVersionArray(vaPage) ? versions.get(epcm.link(vaPage), slot) : 0;
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
    this.#timed?.clear();
    this.#parts.accesses.everything(Mode.WRITE);
  }

  #load(
    leaf: LeafId,
    kind: LoadKind,
    cpu: CpuId,
    target: PageIndex,
    secs: PageIndex,
    vaPage: PageIndex,
    slot: number,
    blob: Readonly<PagingBlob>,
  ): LeafResult {
    const refusal = this.#begin(cpu, leaf, target, secs, vaPage);
    const result = refusal || load(this.#parts, kind, cpu, target, secs, vaPage, slot, blob);
    return this.#ended(cpu, leaf, target, result, vaPage, slot);
  }

  /** A leaf begins that has its effect now. @returns 0, or what it gets because others were running */
  #begin(cpu: CpuId, leaf: LeafId, page: PageIndex, secs: PageIndex, vaPage: PageIndex): LeafResult {
    return this.#timed === null ? 0 : this.#timed.begin(cpu, leaf, page, secs, vaPage);
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
    this.overlaps.ended(cpu);
    if (this.#timed !== null) this.#timed.ended();
    return result;
  }
}
