/**
 * The native enclave driver: enclaves, their ioctls, faults, and eviction as an owner of EPC pages.
 *
 * @module
 */
export type { AddArgument, AddResult } from './add-pages.js';
export type { EnclaveViolation } from './check-enclaves.js';
export { checkEnclaves } from './check-enclaves.js';
export type { EnclaveDriverComponents } from './components.js';
export type { CreateArgument } from './create.js';
export type { EnclaveDriverRecipes } from './driver.js';
export { createEnclaveDriver, EnclaveDriver } from './driver.js';
export type { EnclaveComponents } from './enclave.js';
export { Enclave, EnclaveFlag } from './enclave.js';
export type { EnclavePaging } from './enclave-paging.js';
export type { FaultResultId } from './fault.js';
export { FaultResult } from './fault.js';
export { Init } from './init.js';
export type { MapArgument } from './map.js';
export { Mapper } from './map.js';
export type { PageTableVisitor } from './mm-list.js';
export { MmList } from './mm-list.js';
export { SECS_RECORD, versionArrayNumber, versionArrayRecord } from './record-id.js';
export { Records } from './records.js';
