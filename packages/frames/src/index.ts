/**
 * Page-frame table of the Enclave Page Cache: owners, lists, flags and poison in columns.
 *
 * @module
 */
export { checkFrames, type FrameViolation } from './check-frames.js';
export {
  createFrameTable,
  FRAME_BYTES,
  type FrameTableComponents,
  type FrameTableOptions,
  type SectionOptions,
} from './create-frame-table.js';
