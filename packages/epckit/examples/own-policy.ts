import { Access, type EvictionPolicy, type FrameTable, PageType, Prot, Verdict } from '@epckit/interface';
import { createAccessRecord, createEpc } from 'epckit';

/** Lines that the example prints. */
export const output: string[] = [];

/**
 * An eviction policy with two lists: pages that were found young once are protected, and go only when no other page
 * is left (segmented FIFO).
 */
export function segmented(): (components: { readonly frames: FrameTable }) => EvictionPolicy {
  return ({ frames }) => {
    const probation = frames.createList('probation');
    const protectedList = frames.createList('protected');
    const oldest = () =>
      frames.first(probation) >= 0 ? frames.first(probation) : frames.first(protectedList);
    return {
      insert: (page) => frames.append(probation, page),
      remove: (page) => frames.unlink(page),
      isolate(victims, max) {
        let count = 0;
        for (let page = oldest(); page >= 0 && count < max; page = oldest()) {
          frames.unlink(page);
          victims[count++] = page;
        }
        return count;
      },
      putBack: (page, verdict) => frames.append(verdict === Verdict.YOUNG ? protectedList : probation, page),
      isEmpty: () => oldest() < 0,
      oldest,
      after(page) {
        const next = frames.next(page);
        return next < 0 && frames.listOf(page) === probation ? frames.first(protectedList) : next;
      },
    };
  };
}

for (const [name, policy] of [
  ['second chance', undefined],
  ['segmented', segmented()],
] as const) {
  output.push(`${name}: ${countReloads(policy)} reloads`);
}
for (const line of output) console.log(line);

/** Reads 16 pages over and over while 64 others are scanned, in an EPC of 64 pages. */
function countReloads(policy: ReturnType<typeof segmented> | undefined): number {
  const epc = createEpc({
    machine: { cpus: [{ node: 0 }], sections: [{ node: 0, pageCount: 64 }] },
    reclaim: { batchPages: 8, lowPages: 4, highPages: 8 },
    ...(policy === undefined ? {} : { policy }),
  });
  epc.boot();
  const cpu = epc.cpus[0]!;
  const { driver, machine } = epc;
  const { mm } = epc.createProcess('scan');
  const enclave = driver.open();
  const basePage = driver.chooseBasePage(128);
  const prot = Prot.R | Prot.W;
  const pages = { page: 0, count: 80, type: PageType.REG, prot, isMeasured: false };
  machine.run(cpu.thread, cpu.enterKernel({ name: 'scan', mm }));
  machine.run(
    cpu.thread,
    driver.create.run(cpu.thread, enclave, { pageCount: 128, basePage, attributes: 4 }),
  );
  machine.run(cpu.thread, driver.addPages.run(cpu.thread, mm, enclave, pages));
  machine.run(cpu.thread, driver.init.run(cpu.thread, enclave, {}));
  machine.run(cpu.thread, driver.mapper.map(cpu.thread, mm, enclave, { start: 0, end: 128, prot }));

  const record = createAccessRecord();
  let reloads = 0;
  const read = (page: number): void => {
    if (enclave.records.epc(page) < 0) reloads++;
    machine.run(cpu.thread, epc.accesses.access(cpu, enclave, page, Access.READ, 3, record));
    machine.returnToUser();
  };
  for (let turn = 0; turn < 640; turn++) {
    read(turn % 16);
    read(16 + (turn % 64));
  }
  return reloads;
}
