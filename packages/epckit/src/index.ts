/**
 * epckit: composes the packages to an EPC memory manager, runs scenarios on it and replays scripts.
 *
 * @module
 */

export type { AccessComponents, AccessOutcomeId, AccessRecord } from './access.js';
export { Accesses, AccessOutcome, createAccessRecord } from './access.js';
export type { Epc } from './create-epc.js';
export { createEpc } from './create-epc.js';
export type {
  EpcOptions,
  FailureSource,
  MachineDescription,
  PagingRecipes,
  ReclaimSettings,
  ResumePolicy,
} from './options.js';
export { linuxReclaim } from './options.js';
export type { Preset } from './presets.js';
export { epckit, linux6, presets } from './presets.js';
export type { Process } from './process.js';
export type { LateDrop } from './processes.js';
export { Processes } from './processes.js';
export { compareRecords } from './replay/compare.js';
export type { ReplayOptions } from './replay/replay.js';
export { replayScript } from './replay/replay.js';
export type { ReplayedStep, Script, ScriptMachine, ScriptStep, StepRecord } from './replay/script.js';
export type { DealName, TracePart } from './run/deal.js';
export type { RunEvent, RunEventFacts, RunEventListener, RunEventName } from './run/events.js';
export type { FaultKind, FaultObserver, LatencyHistograms } from './run/fault-latency.js';
export type { FreePageReport } from './run/free-page-line.js';
export { Histogram, type LatencySummary } from './run/histogram.js';
export type { ProgramTimes } from './run/program.js';
export { Program } from './run/program.js';
export { ProgramThread } from './run/program-thread.js';
export type {
  CpuReport,
  EnclaveReport,
  FaultLatencies,
  RunCounts,
  RunReport,
  ThreadReport,
} from './run/report.js';
export { RunFailure } from './run/run-failure.js';
export { runLimits } from './run/run-limits.js';
export type { RunOptions } from './run/run-scenario.js';
export { runScenario } from './run/run-scenario.js';
export type {
  CostPresetName,
  PresetName,
  RunProgress,
  Scenario,
  ScenarioEnclave,
  TraceColumns,
} from './run/scenario.js';
export { packageVersions } from './run/versions.js';
export type { Sysfs } from './sysfs.js';
export { createSysfs } from './sysfs.js';
export type { Entry } from './user-cpu.js';
export { UserCpu } from './user-cpu.js';
