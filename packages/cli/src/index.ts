/**
 * The command epckit, callable without a process: replays page traces and scripts of kernel operations.
 *
 * @module
 */
export type { ComparedCombination, Comparison } from './compare/comparison.js';
export type { Spread } from './compare/statistics.js';
export type { VaryValue } from './compare/vary.js';
export { type Engine, facade } from './engine.js';
export { ExitCode, type ExitCodeValue } from './exit-code.js';
export { type CliIo, processIo, type TextSink } from './io.js';
export { main } from './main.js';
export { renderSummary } from './run/summary.js';
export { costFileJsonSchema } from './scenario/cost-file.js';
export type { KeyPath } from './scenario/key-path.js';
export { type LoadedScenario, loadScenario } from './scenario/load-scenario.js';
export type { Generator } from './scenario/resolve.js';
export { scenarioJsonSchema } from './scenario/schema.js';
export type { YamlSource } from './scenario/yaml-source.js';
