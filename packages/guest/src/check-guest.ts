import { checkEnclaves } from '@epckit/enclave';
import { checkFrames } from '@epckit/frames';
import { NONE, OwnerKind } from '@epckit/interface';
import { checkPools } from '@epckit/numa';
import type { VirtualMachine } from './virtual-machine.js';

/** A broken invariant of a virtual machine, as plain data. */
export interface GuestViolation {
  /** Name of the rule, such as `G-1`; see {@link checkGuest}. */
  readonly rule: string;
  /** What was found, in one sentence. */
  readonly message: string;
}

/**
 * Looks for broken invariants of a virtual machine at rest: those of the packages inside the guest, on the guest's own
 * tables, under their own names, and of what lies between guest and host:
 *
 * - G-1: a page that the guest's kernel takes for free is not valid in the EPCM
 * - G-2: a page of the guest and the host page behind it name each other
 * - G-3: a virtual CPU that is inside is inside an enclave of its own guest
 *
 * The guest's enclaves are compared with the EPCM only while the host has evicted none of its pages.
 * A virtual machine that is stopped or has ended has no guest any more, and no violations. Reads everything and
 * allocates.
 */
export function checkGuest(vm: VirtualMachine): GuestViolation[] {
  if (vm.state !== 'running') return [];
  const { kernel, epc } = vm;
  const { frames, hardware } = kernel;
  const found: GuestViolation[] = [];
  const report = (rule: string, message: string) => void found.push({ rule, message });
  // Nobody can look into pages that the host has evicted.
  const isWhole = vm.evictedPages() === 0;
  if (isWhole) {
    found.push(...checkEnclaves(kernel.driver, frames, hardware, (enclave) => kernel.hasLostEpc(enclave)));
  }
  for (const { page, problem } of checkFrames(frames)) report('frames', `frame ${page}: ${problem}`);
  for (const message of checkPools(kernel.pools, frames)) report('pools', message);
  for (let page = 0; page < epc.pageCount; page++) {
    if (frames.kind(page) === OwnerKind.NONE && frames.listOf(page) !== 0 && hardware.isValid(page)) {
      const isDirty = frames.listOf(page) === kernel.pools.dirty;
      if (!isDirty) report('G-1', `page ${page} is free and valid.`);
    }
    const host = epc.resident(page);
    if (host !== NONE && epc.pageOf(host) !== page)
      report('G-2', `page ${page} and host page ${host} disagree.`);
  }
  for (const cpu of vm.cpus) {
    if (cpu.isInside && cpu.entry === null) report('G-3', `CPU ${cpu.id} is inside without having entered.`);
  }
  return found;
}
