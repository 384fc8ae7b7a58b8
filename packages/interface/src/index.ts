/**
 * Contracts of epckit: types and constants that packages share. No behaviour and no dependencies.
 *
 * Who calls, who implements and what each side may assume is described in `docs/contracts.md`.
 *
 * @module
 */
export * from './address-space.js';
export * from './allocator.js';
export * from './cost.js';
export * from './errno.js';
export * from './errors.js';
export * from './frames.js';
export * from './hardware.js';
export * from './ids.js';
export * from './leaf.js';
export * from './lock.js';
export * from './owner.js';
export * from './paging.js';
export * from './probe.js';
export * from './reclaim.js';
export * from './routine.js';
export * from './schedule.js';
export * from './served-by-host.js';
export * from './sgx-code.js';
