/**
 * KVM guests with SGX: virtual CPUs on CPUs of the machine, guest-physical EPC, and the EPC manager once more, inside
 * the guest.
 *
 * @module
 */
export type { GuestAccessId, GuestAccessParts, GuestAccessRecord } from './accesses.js';
export { createGuestAccessRecord, GuestAccess, GuestAccesses } from './accesses.js';
export type { GuestViolation } from './check-guest.js';
export { checkGuest } from './check-guest.js';
export type {
  ConflictVmExit,
  EcreateExit,
  EinitExit,
  EnclsExit,
  EptViolation,
  GuestExit,
  HaltedExit,
} from './exit.js';
export { GuestHalted } from './exit.js';
export type { GuestSection } from './guest-epc.js';
export { GuestEpc } from './guest-epc.js';
export type { GuestHardwareParts } from './guest-hardware.js';
export { GuestHardware } from './guest-hardware.js';
export type { GuestKernelOptions, GuestKernelParts, GuestPagingRecipes } from './guest-kernel.js';
export { GuestKernel } from './guest-kernel.js';
export type { GuestHost } from './host.js';
export { kvmHostOf } from './host.js';
export type { PageTrace, PhaseOptions } from './page-trace.js';
export { phasedTrace } from './page-trace.js';
export type { GuestProgramOptions, ProgramMachine } from './program.js';
export { GuestProgram, GuestProgramFailure } from './program.js';
export type { QemuEpcSection } from './qemu-options.js';
export { parseQemuEpc } from './qemu-options.js';
export type { EnteredId, GuestEntry, VirtualCpuParts } from './virtual-cpu.js';
export { Entered, VirtualCpu } from './virtual-cpu.js';
export type { VirtualMachineState } from './virtual-machine.js';
export { createVirtualMachine, VirtualMachine } from './virtual-machine.js';
export type { SectionOptions, VirtualMachineOptions } from './virtual-machine-options.js';
