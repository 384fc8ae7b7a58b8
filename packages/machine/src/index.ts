/**
 * The execution model: CPUs, threads, locks, wait queues, IPIs, and the drivers of the three worlds.
 *
 * @module
 */

export type { Touch } from './checking.js';
export { Checking } from './checking.js';
export type { CostEntries, CostEntry, CostGrade } from './cost-entries.js';
export { clientCosts, costSources, serverCosts } from './cost-entries.js';
export type { CostDescription, CostStatus } from './cost-table.js';
export { costPresets, createCostTable, describeCosts, scaleTransitions } from './cost-table.js';
export type { Interposer } from './direct.js';
export type { ExecutionOptions, ExecutionResult, ExploredStep, FailureKind } from './explored.js';
export { ABANDON } from './explored.js';
export type { InterruptHandler } from './ipi.js';
export { Ipi } from './ipi.js';
export { LockOrder } from './lock-order.js';
export type { LockStatistics } from './lock-statistics.js';
export type { KernelThreadPolicy, MachineOptions } from './machine.js';
export { createMachine, Machine } from './machine.js';
export { Objects } from './objects.js';
export type { ThreadOptions } from './thread.js';
export { MachineThread } from './thread.js';
export type { SchedulerCounts, TimedOptions } from './timed.js';
export type { CpuTime, SwitchHandler } from './timed-cpu.js';
export type { Work, WorkQueue } from './work-queue.js';
export type { World } from './world.js';
