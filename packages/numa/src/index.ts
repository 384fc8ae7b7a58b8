/**
 * Pools of free EPC pages per NUMA node: boot sanitizing, node walk, poison and memory failure.
 *
 * @module
 */
export { type AscendingOrder, createAscendingOrder } from './ascending-order.js';
export { byDistance, checkDistances, LOCAL_DISTANCE, requireNodes } from './by-distance.js';
export { checkPools } from './check-pools.js';
export {
  type DiscoveredSections,
  type DiscoveryWarning,
  discoverSections,
  MAX_SECTIONS,
  type NodeTotal,
  type SectionConfig,
  type UsedSection,
} from './discover-sections.js';
export { createMemoryFailure, type MemoryFailureComponents } from './memory-failure.js';
export {
  createNodePools,
  type NodePools,
  type NodePoolsComponents,
  type NodePoolsOptions,
} from './node-pools.js';
export { createPageAllocator, type PageAllocatorComponents } from './page-allocator.js';
export type { SanitizeOptions } from './sanitize.js';
