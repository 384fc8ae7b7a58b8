/**
 * The processor's side of the SGX EPC: EPCM, leaf functions, TLB tracking, page eviction with versions, and the
 * concurrency table of the leaves.
 *
 * @module
 */

export type { EpcmViolation } from './check-epcm.js';
export { checkEpcm } from './check-epcm.js';
export type { ConflictRow } from './conflicts.js';
export { conflictRowsOf, conflictTable, Hold, Operand, Reached } from './conflicts.js';
export { HardwareMisuse } from './errors.js';
export type { HardwareModel } from './hardware-model.js';
export type { EnclaveEntry } from './secs-table.js';
export type { HardwareComponents, HardwareOptions } from './sgx-hardware.js';
export { createSgxHardware } from './sgx-hardware.js';
