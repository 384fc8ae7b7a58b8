import type { Routine } from '@epckit/interface';
import { PageType, Prot, SecInfo } from '@epckit/interface';
import type { Vepc } from '@epckit/vepc';
import { checkVepc } from '@epckit/vepc';
import { compose } from './compose.js';

/** Lines that the example prints. */
export const output: string[] = [];

const leaves: string[] = [];
const { machine, frames, hardware, driver, vmm } = compose(8, leaves);
const thread = machine.createThread({ name: 'vcpu', cpu: 0 });
const run = <T>(routine: Routine<T>): T => machine.run(thread, routine);
const show = (what: string) => output.push(`${what}: ${leaves.splice(0).join(' ')}`);

/** A page fault of the VMM: the guest has touched a page of its EPC for the first time. */
function* touch(vepc: Vepc, page: number): Routine<void> {
  while (vmm.lock.mustWaitRead(thread)) yield vmm.lock.acquireRead;
  const vma = vmm.table(vepc.id)?.vmaOf(page);
  if (vma !== undefined) yield* driver.faults.fault(thread, vmm, vma, vepc, page);
  vmm.lock.releaseRead(thread);
}

/** munmap and close. */
function close(vepc: Vepc): void {
  run(driver.mapper.unmap(thread, vmm, vepc, 0, vepc.pageCount));
  vmm.forget(vepc.id);
  run(driver.release(thread, vepc));
}

// A VMM gives its guest two EPC sections: one file and one mapping for each.
const [low, high] = [driver.open(4), driver.open(4)] as [Vepc, Vepc];
for (const vepc of [low, high]) {
  run(driver.mapper.map(thread, vmm, vepc, { start: 0, end: 4, prot: Prot.R | Prot.W }));
}
for (const [vepc, page] of [
  [low, 0],
  [high, 0],
  [high, 1],
] as const)
  run(touch(vepc, page));
output.push(`first section: EPC page ${low.pages.get(0)}`);
output.push(`second section: EPC pages ${high.pages.get(0)} and ${high.pages.get(1)}`);

// The guest makes an enclave: the SECS in the first section, its pages in the second.
const secs = { mm: vmm, vepc: low, page: 0 };
const source = { basePage: 16, pageCount: 4, attributes: 4, ssaFrameSize: 1 };
const trap = { vector: 0 };
const secinfo = SecInfo.R | SecInfo.W | (PageType.REG << SecInfo.TYPE_SHIFT);
run(driver.guest.ecreate(thread, secs, source, trap));
for (const page of [0, 1]) {
  run(driver.guest.eadd(thread, { mm: vmm, vepc: high, page }, secs, source.basePage + page, secinfo));
}
show('guest');

// The guest reboots: its VMM makes all pages unused again, and needs a second round.
const left = [low, high, low].map((vepc) => run(driver.removeAll.run(thread, vepc)));
show(`reboot, ${left.join(', ')} left`);

// The next enclave outlives its VMM's first file: the SECS becomes a zombie until the second is closed.
run(driver.guest.ecreate(thread, secs, source, trap));
run(driver.guest.eadd(thread, { mm: vmm, vepc: high, page: 0 }, secs, source.basePage, secinfo));
leaves.length = 0;
close(low);
show(`first close, zombies: ${driver.zombies.all().length}`);
close(high);
show(`second close, zombies: ${driver.zombies.all().length}`);
output.push(`violations ${checkVepc(driver, frames, hardware).length}`);

for (const line of output) console.log(line);
