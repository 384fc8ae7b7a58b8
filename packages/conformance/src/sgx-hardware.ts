import type { ConformanceCase } from './case.js';
import { casesOf } from './case.js';
import { conflicts } from './sgx-hardware-conflicts.js';
import { effects } from './sgx-hardware-effects.js';
import { refusalCases } from './sgx-hardware-outcomes.js';
import { paging } from './sgx-hardware-paging.js';
import type { SgxHardwareSize, SgxHardwareSubject } from './sgx-hardware-subject.js';
import { furnished } from './sgx-hardware-subject.js';
import { tracking } from './sgx-hardware-tracking.js';

/**
 * Kit for `SgxHardware`: outcomes of every leaf in the order of its checks, effects, tracking, versions and replay,
 * conflicts, loss of power. It knows the contract only; what CPUID can switch off has to be on.
 *
 * @param make - hardware with an empty EPC of this size
 */
export function sgxHardwareCases(make: (size: SgxHardwareSize) => SgxHardwareSubject): ConformanceCase[] {
  const bench = furnished(make);
  const refusals = Object.entries(refusalCases(bench)).map(([name, run]) => {
    return { name: `SgxHardware: ${name}`, run };
  });
  return [
    ...refusals,
    ...casesOf('SgxHardware', bench, { ...effects, ...tracking, ...paging, ...conflicts }),
  ];
}
