/**
 * Address spaces for enclave memory: mappings, page-table bytes, accessed bits, CPU masks, and the hit path.
 *
 * @module
 */
export {
  type AddressSpaceComponents,
  type AddressSpaceOptions,
  createAddressSpace,
  type FrameLookup,
} from './address-space.js';
export { createCpuSet } from './cpu-set.js';
export { RUN_EXECUTE, RUN_READ, RUN_WRITE, runHits, runHitsUntil } from './hits.js';
export { rightsOf } from './rights.js';
