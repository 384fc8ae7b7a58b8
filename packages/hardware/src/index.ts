/**
 * The processor's side of the SGX EPC: EPCM, leaf functions, TLB tracking, page eviction with versions, and the
 * concurrency table of the leaves.
 *
 * @module
 */

export type { ByteContentsOptions, PageCipher } from './byte-contents.js';
export { ByteContents } from './byte-contents.js';
export type { EpcmViolation } from './check-epcm.js';
export { checkEpcm } from './check-epcm.js';
export type { ConflictRow } from './conflicts.js';
export { conflictRowsOf, conflictTable, Hold, Operand, Reached } from './conflicts.js';
export type {
  CpuidRegisters,
  CpuidSection,
  CpuidSections,
  SgxCpuid,
  UnknownSubLeaf,
} from './cpuid.js';
export {
  cpuidToFeatures,
  cpuidToSections,
  FIRST_SECTION_SUB_LEAF,
  featuresToCpuid,
  LINUX_SECTION_LIMIT,
  sectionsToCpuid,
} from './cpuid.js';
export { HardwareMisuse } from './errors.js';
export type { FaultOperandId } from './faults.js';
export { FaultOperand } from './faults.js';
export type { SgxFeatureBase, SgxFeatureOptions, SgxFeatures } from './features.js';
export { FeatureSet, resolveFeatures } from './features.js';
export type { HardwareModel } from './hardware-model.js';
export type { HardwareComponents, HardwareOptions } from './hardware-options.js';
export type { InitTokenFields, InitTokenVerdicts } from './init-token.js';
export { decodeInitToken, encodeInitToken, INIT_TOKEN_BYTES } from './init-token.js';
export * from './instructions/index.js';
export { launchControlOf } from './launch-control.js';
export type { PageContents, TcsFields } from './page-contents.js';
export { REFUSED } from './page-contents.js';
export type { PageWalk } from './parts.js';
export type { ByteBlob, PcmdFields } from './pcmd.js';
export {
  blobFromBytes,
  createByteBlob,
  decodePcmd,
  encodePcmd,
  PAGE_BYTES,
  PCMD_BYTES,
  PcmdOffset,
} from './pcmd.js';
export type { Platform } from './platform.js';
export { INTEL_LAUNCH_KEY_HASH } from './platform.js';
export type { EnclaveEntry } from './secs-table.js';
export { createSgxHardware } from './sgx-hardware.js';
export { fromHex, sha256, toHex } from './sha256.js';
export type { SigStructFields } from './sigstruct.js';
export { decodeSigStruct, encodeSigStruct, SIGSTRUCT_BYTES, signedBytes } from './sigstruct.js';
export { TagContents } from './tag-contents.js';
export type { LeafTimes } from './timed-leaves.js';
export type { StaleTranslation, Translation } from './tlbs.js';
export type { PageMapping, TranslatedId } from './translate.js';
export { PageFaultCode, pageFaultCode, Translated } from './translate.js';
