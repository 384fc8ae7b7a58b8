/**
 * epckit: composes the packages to an EPC memory manager, runs scenarios on it and replays scripts.
 *
 * @module
 */

export type { AccessComponents, AccessOutcomeId, AccessRecord } from './access.js';
export { Accesses, AccessOutcome, createAccessRecord } from './access.js';
export type { CgroupComponents, RefusalWords } from './cgroups/cgroups.js';
export { Cgroups } from './cgroups/cgroups.js';
export { design2020, designV5, designV17, epckitDesign } from './cgroups/designs.js';
export type { CgroupSettings } from './cgroups/settings.js';
export { SlottedBatch } from './cgroups/slotted-batch.js';
export type { Epc } from './create-epc.js';
export { createEpc } from './create-epc.js';
export type {
  DaemonNodes,
  DaemonPlacement,
  EpcOptions,
  FailureSource,
  Fallback,
  GuestVersionArrays,
  MachineDescription,
  PagingRecipes,
  ReclaimSettings,
  ResumePolicy,
} from './options.js';
export { linuxReclaim } from './options.js';
export type { Preset } from './presets.js';
export {
  epckit,
  linux6,
  linuxCgroup2020,
  linuxCgroupV5,
  linuxCgroupV17,
  linuxKvmOversub,
  presetCgroups,
  presets,
} from './presets.js';
export type { Process } from './process.js';
export type { LateDrop, ProcessPlacement } from './processes.js';
export { Processes } from './processes.js';
export { compareRecords } from './replay/compare.js';
export type { Execute } from './replay/players/context.js';
export type { ReplayOptions } from './replay/replay.js';
export { replayScript } from './replay/replay.js';
export type { ReplayedStep, Script, ScriptMachine, ScriptStep, StepRecord } from './replay/script.js';
export type { CauseGroup } from './run/cause-groups.js';
export type {
  CostLevel,
  CostPresetName,
  CostReport,
  IpiDelivery,
  OwnCost,
  ScenarioCosts,
} from './run/costs.js';
export type { DealName, TracePart } from './run/deal.js';
export type { ProgramAccess } from './run/dynamic-pages.js';
export type { RunEvent, RunEventFacts, RunEventListener, RunEventName } from './run/events.js';
export type { FaultKind, FaultObserver, LatencyHistograms } from './run/fault-latency.js';
export type { FreePageReport } from './run/free-page-line.js';
export type {
  EnclaveFailure,
  GroupReport,
  GroupReports,
  ReclaimedPages,
  RefusalCounts,
  UsageReport,
  WorkerReport,
} from './run/group-report.js';
export { jainIndex } from './run/group-reports.js';
export { Histogram, type LatencySummary } from './run/histogram.js';
export type { ProgramTimes } from './run/program.js';
export { Program } from './run/program.js';
export { ProgramThread } from './run/program-thread.js';
export type {
  CpuReport,
  DaemonReport,
  EnclaveReport,
  FaultLatencies,
  PerEviction,
  RunCounts,
  RunReport,
  ThreadReport,
} from './run/report.js';
export type { FailedCall } from './run/run-failure.js';
export { RunFailure } from './run/run-failure.js';
export { dynamicCosts, hasDynamicCosts, runLimits } from './run/run-limits.js';
export type { RunOptions } from './run/run-scenario.js';
export { runScenario } from './run/run-scenario.js';
export type {
  PresetName,
  RunProgress,
  Scenario,
  ScenarioEnclave,
  ScenarioThread,
  TraceColumns,
} from './run/scenario.js';
export { scenarioTraces, threadCpus, traceNames } from './run/scenario.js';
export type { ScenarioCgroups, ScenarioGroup, ScenarioLimit } from './run/scenario-groups.js';
export { pagesOf } from './run/thread-traces.js';
export { packageVersions } from './run/versions.js';
export type { GuestFaultKind, GuestFaultLatencies } from './run/vms/guest-latency.js';
export type {
  GuestKernelName,
  ScenarioGuestEnclave,
  ScenarioGuestThread,
  ScenarioVm,
  ScenarioVmSection,
} from './run/vms/scenario-vms.js';
export { guestTraceNames, guestVcpus } from './run/vms/scenario-vms.js';
export type { GuestEnclaveReport, VersionArrayReport, VmExits, VmReport } from './run/vms/vm-report.js';
export type { CpuSharer } from './shared-cpu.js';
export { SharedCpu } from './shared-cpu.js';
export type { Sysfs } from './sysfs.js';
export { createSysfs } from './sysfs.js';
export type { Entry } from './user-cpu.js';
export { UserCpu } from './user-cpu.js';
export type { VirtualMachineHost } from './virtual-machines.js';
export { VirtualMachines } from './virtual-machines.js';
