/**
 * A search over the interleavings of the threads of a machine, with replay of what it finds.
 *
 * @module
 */
export type { Case, Mark, World } from './case.js';
export type { CompareOptions, Comparison } from './compare.js';
export { compareReductions } from './compare.js';
export type { Fault, FindingKind } from './execution.js';
export type { ExplorationResult, ExploreOptions, StrategyName } from './explore.js';
export { explore } from './explore.js';
export type { Finding, FindingFormat } from './finding.js';
export { formatFinding } from './finding.js';
export type { Replay, ReplayOptions } from './replay.js';
export { replay } from './replay.js';
export { formatSchedule, parseSchedule } from './schedule-text.js';
export type { TraceStep } from './trace.js';
