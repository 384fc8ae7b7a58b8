import type { Enclave } from '@epckit/enclave';
import { Access, PageType, Prot, type Routine } from '@epckit/interface';
import { createAccessRecord, createEpc, type Epc, epckit, type UserCpu } from 'epckit';

/** Lines that the example prints. */
export const output: string[] = [];

// Two CPUs, 256 KiB of EPC = 64 pages, and the default preset with smaller batches and marks.
const epc = createEpc({
  ...epckit,
  machine: { cpus: [{ node: 0 }, { node: 0 }], sections: [{ node: 0, pageCount: 64 }] },
  reclaim: { batchPages: 8, lowPages: 4, highPages: 8 },
});
epc.boot();

// Two processes, each with an enclave of 40 pages on a CPU of its own: 80 pages and more in 64.
const first = epc.machine.run(epc.cpus[0]!.thread, build(epc, epc.cpus[0]!, 'first'));
const second = epc.machine.run(epc.cpus[1]!.thread, build(epc, epc.cpus[1]!, 'second'));
report('both are built');

// Reading all of the first one pushes pages of the second one out.
const record = createAccessRecord();
for (let page = 0; page < 40; page++) {
  const [cpu] = epc.cpus;
  epc.machine.run(cpu!.thread, epc.accesses.access(cpu!, first, page, Access.READ, 3, record));
}
report('the first one was read');

/** Creates, fills, initializes and maps an enclave. */
function* build({ driver, createProcess }: Epc, cpu: UserCpu, name: string): Routine<Enclave> {
  const process = createProcess(name);
  const enclave = driver.open();
  const basePage = driver.chooseBasePage(64);
  yield* cpu.enterKernel(process);
  yield* driver.create.run(cpu.thread, enclave, { pageCount: 64, basePage, attributes: 4 });
  const pages = { page: 0, count: 40, type: PageType.REG, prot: Prot.R | Prot.W, isMeasured: true };
  yield* driver.addPages.run(cpu.thread, process.mm, enclave, pages);
  yield* driver.init.run(cpu.thread, enclave, {});
  yield* driver.mapper.map(cpu.thread, process.mm, enclave, { start: 0, end: 64, prot: Prot.R | Prot.W });
  return enclave;
}

function report(when: string): void {
  const resident = `first ${first.children} of 40 pages, second ${second.children} of 40`;
  output.push(`${when}: ${resident}, ${epc.pools.free} of 64 free`);
}

for (const line of output) console.log(line);
