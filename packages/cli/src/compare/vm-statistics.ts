import type { GuestFaultLatencies, RunReport, VmReport } from 'epckit';

/** Sum over all virtual machines of a run. */
export function overVms(of: (vm: VmReport) => number): (report: RunReport) => number {
  return ({ vms = [] }) => vms.reduce((sum, vm) => sum + of(vm), 0);
}

/** Largest value of all virtual machines of a run, 0 without any. */
export function mostOfVms(of: (vm: VmReport, report: RunReport) => number): (report: RunReport) => number {
  return (report) => Math.max(0, ...(report.vms ?? []).map((vm) => of(vm, report)));
}

/** Smallest value of all virtual machines of a run, 0 without any. */
export function leastOfVms(of: (vm: VmReport) => number): (report: RunReport) => number {
  return ({ vms = [] }) => (vms.length === 0 ? 0 : Math.min(...vms.map(of)));
}

/** Microseconds of a latency that a guest feels. */
export function guestMicroseconds(
  kind: keyof GuestFaultLatencies,
  percentile: 'p50Cycles' | 'p99Cycles',
): (vm: VmReport, report: RunReport) => number {
  return ({ faultLatency }, { scenario }) =>
    faultLatency[kind][percentile] / (scenario.costs.clockGhz * 1000);
}

/** Most EPC pages of the machine in use at once, of enclaves and of guests; 0 in a run without guests. */
export function peakUsedPages({ vms, freePages, total }: RunReport): number {
  return vms === undefined ? 0 : total.epcPages - Math.min(...freePages.lowest);
}
