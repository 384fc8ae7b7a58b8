/**
 * Instructions: ENCLS, ENCLV and ENCLU on registers and memory.
 *
 * @module
 */

export type { AccessOutcome, TranslatedAccess } from './access.js';
export type { FlatMemoryOptions } from './flat-memory.js';
export { FlatMemory } from './flat-memory.js';
export type { InitVerifiers } from './init.js';
export type { ProcessorComponents } from './instruction.js';
export type { LogicalProcessor } from './logical-processor.js';
export { createLogicalProcessor } from './logical-processor.js';
export type { LinearMemory } from './memory.js';
export type { ExitOutcome, FaultOutcome, Outcome, PlainOutcome, VectorId } from './outcome.js';
export { Vector } from './outcome.js';
export type { Processor, ProcessorOptions } from './processor.js';
export { createProcessor } from './processor.js';
export type { Flags, Registers } from './registers.js';
export { createRegisters } from './registers.js';
export type { PageInfo, SecsImageFields } from './structures.js';
export { decodePageInfo, encodePageInfo, encodeRdInfo, encodeSecInfo, encodeSecs } from './structures.js';
