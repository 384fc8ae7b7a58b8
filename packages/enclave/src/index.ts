/**
 * The native enclave driver: enclaves, their ioctls, faults, and eviction as an owner of EPC pages.
 *
 * @module
 */
export type { AddArgument, AddResult, AddSource } from './add-pages.js';
export type { EnclaveViolation } from './check-enclaves.js';
export { checkEnclaves } from './check-enclaves.js';
export type { DynamicMemoryComponents, EnclaveDriverComponents, InterruptComponents } from './components.js';
export type { CreateArgument } from './create.js';
export type { DebugAccess } from './debug-access.js';
export type { EnclaveDriverRecipes } from './driver.js';
export { createEnclaveDriver, EnclaveDriver } from './driver.js';
export type { DynamicArgument, DynamicResult } from './dynamic-ioctl.js';
export type { EnclaveComponents } from './enclave.js';
export { Enclave, EnclaveFlag } from './enclave.js';
export type { EnclavePaging } from './enclave-paging.js';
export { exclusive } from './exclusive.js';
export type { FaultResultId } from './fault.js';
export { FaultResult } from './fault.js';
export type { InitArgument } from './init.js';
export { Init } from './init.js';
export type { KernelCall, KernelFailures } from './kernel-failures.js';
export type { MapArgument } from './map.js';
export { Mapper } from './map.js';
export type { PageTableVisitor } from './mm-list.js';
export { MmList } from './mm-list.js';
export type { ModifyTypesArgument } from './modify-types.js';
export type { ProvisionArgument } from './provision.js';
export { Provision } from './provision.js';
export { SECS_RECORD, versionArrayNumber, versionArrayRecord } from './record-id.js';
export { Records } from './records.js';
export type { RestrictArgument } from './restrict.js';
export * from './uapi/index.js';
