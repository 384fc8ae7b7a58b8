/**
 * The misc cgroup controller and a cgroup v2 tree in memory: who may use how much EPC, and what files say about it.
 *
 * @module
 */
export { AtomicNumber } from './atomic-number.js';
export type { FileListener, Refusal, RefusalCauseId } from './charge.js';
export { createRefusal, RefusalCause } from './charge.js';
export type { CgroupViolation } from './check-cgroups.js';
export { checkCgroups } from './check-cgroups.js';
export type {
  MiscControllerComponents,
  MiscControllerOptions,
  MiscControllerRecipes,
  MiscResourceOps,
} from './controller.js';
export { createMiscController, MiscController } from './controller.js';
export type { Pid } from './directory.js';
export { Directory } from './directory.js';
export type { EpcQuantity } from './epc-quantity.js';
export { parseEpcQuantity } from './epc-quantity.js';
export { CgroupErrno } from './errno.js';
export type { CgroupFile, FilePlace } from './file.js';
export type { OpenFile } from './files.js';
export { CgroupFiles } from './files.js';
export { Limit, MiscCounters, MiscGroup } from './group.js';
export type { MaxSetting } from './parse-max.js';
export { formatLimit, parseMax, UNLIMITED } from './parse-max.js';
export type { Process } from './processes.js';
export { Processes } from './processes.js';
export type { ResourceId, ResourceName } from './resource.js';
export { Resource, resourceNames, resourceOf } from './resource.js';
export type { CurrentGroup, EpcRefusalId, LastRefusal } from './sgx/charge.js';
export { EpcRefusal, ReclaimTarget } from './sgx/charge.js';
export { checkEpcCgroups } from './sgx/check-epc-cgroups.js';
export type { EpcCgroupComponents } from './sgx/engine.js';
export { createEpcCgroups, EpcCgroups } from './sgx/engine.js';
export type { EpcUsage, EpcUseId, EpcUseOf } from './sgx/epc-use.js';
export { EpcUse, epcUseNames } from './sgx/epc-use.js';
export type { EpcCgroupOptions, KillName, LimitWriteName, WalkName } from './sgx/options.js';
export type { EpcCgroupPresetName } from './sgx/presets.js';
export { cgroup2020, cgroupV5, cgroupV17, epcCgroupPresets, epckitCgroups } from './sgx/presets.js';
export type { VictimPolicyFactory, VictimPolicyName } from './sgx/victim-policies.js';
export { victimPolicies } from './sgx/victim-policies.js';
export type { EpcWalkObserver } from './sgx/walk.js';
export type { CgroupTreeComponents } from './tree.js';
export { CGROUP_MOUNT, CgroupTree, createCgroupTree } from './tree.js';
export type { UnifiedResources } from './unified.js';
export { parseUnified } from './unified.js';
