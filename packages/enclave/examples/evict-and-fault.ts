import { checkEnclaves } from '@epckit/enclave';
import type { Routine } from '@epckit/interface';
import { PageType, Prot } from '@epckit/interface';
import { createAddressSpace } from '@epckit/mm';
import { compose } from './compose.js';

/** Lines that the example prints. */
export const output: string[] = [];

const leaves: string[] = [];
const { machine, frames, hardware, reclaimer, driver } = compose(8, leaves);
const thread = machine.createThread({ name: 'task', cpu: 0 });
const run = <T>(routine: Routine<T>): T => machine.run(thread, routine);
const show = (what: string) => output.push(`${what}: ${leaves.splice(0).join(' ')}`);

const mm = createAddressSpace(
  { id: 0, name: 'loader', cpuCount: 2 },
  { locks: machine, objects: machine.objects, monitor: machine.checking, probe: null },
);
mm.load(0);

const enclave = driver.open();
run(driver.create.run(thread, enclave, { pageCount: 2, basePage: driver.chooseBasePage(2), attributes: 4 }));
const pages = { page: 0, count: 2, type: PageType.REG, prot: Prot.R | Prot.W, isMeasured: false };
run(driver.addPages.run(thread, mm, enclave, pages));
run(driver.init.run(thread, enclave, {}));
run(driver.mapper.map(thread, mm, enclave, { start: 0, end: 2, prot: Prot.R | Prot.W }));
show('build');

// Nobody has used the pages: one batch evicts both, and the SECS after its last child.
run(reclaimer.batch(thread));
show('evict');

// A page fault brings the SECS back first.
run(
  (function* fault(): Routine<void> {
    while (mm.lock.mustWaitRead(thread)) yield mm.lock.acquireRead;
    const vma = mm.table(enclave.id)?.vmaOf(1);
    if (vma !== undefined) yield* driver.faults.fault(thread, mm, vma, enclave, 1);
    mm.lock.releaseRead(thread);
  })(),
);
show('fault');
output.push(`violations ${checkEnclaves(driver, frames, hardware).length}`);

for (const line of output) console.log(line);
