/**
 * Recipes of `@epckit/numa`: the order-critical steps that kernel generations do differently. A variant is a
 * subclass that overrides one method.
 *
 * @module
 */
export { ExactFreeCount, FreeCount } from './free-count.js';
export { FreePages } from './free-pages.js';
export { NodeLists } from './node-lists.js';
export { NodeWalk, type NodeWalkParts } from './node-walk.js';
export {
  type PageAllocatorComponents,
  PatientAllocator,
  ReclaimingAllocator,
} from './page-allocator.js';
export {
  PoisonRemovingSanitizer,
  type SanitizeOptions,
  type SanitizeParts,
  Sanitizer,
} from './sanitize.js';
