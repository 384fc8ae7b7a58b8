/**
 * A stack composed of single packages, without the facade, with an eviction policy of its own: what a project
 * downstream does. It builds an enclave that is larger than the EPC, touches every page twice and releases it.
 */
import assert from 'node:assert/strict';
import type { Enclave } from '@epckit/enclave';
import { createEnclaveDriver } from '@epckit/enclave';
import { createFrameTable } from '@epckit/frames';
import { checkEpcm, createSgxHardware } from '@epckit/hardware';
import type { EvictionPolicy, FrameTable, OwnerId, Routine } from '@epckit/interface';
import { PageType, Prot } from '@epckit/interface';
import { createMachine } from '@epckit/machine';
import { createAddressSpace, createCpuSet } from '@epckit/mm';
import { createNodePools, createPageAllocator } from '@epckit/numa';
import {
  createBackingStore,
  createEtrack,
  createLoadBack,
  createVersionSlots,
  createWriteBack,
} from '@epckit/paging';
import { createOwnerRegistry, createReclaimer, createReclaimLists, watermarks } from '@epckit/reclaim';
import { Batch } from '@epckit/reclaim/recipes';

const EPC_PAGES = 96;
const ENCLAVE_PAGES = 128;

/** Evicts the youngest page first: the best one for a cyclic scan, the worst one for most programs. */
function youngestFirst(frames: FrameTable): EvictionPolicy {
  const list = frames.createList('youngest first');
  return {
    insert: (page) => frames.prepend(list, page),
    remove: (page) => frames.unlink(page),
    isolate: (victims, max) => {
      let count = 0;
      for (let page = frames.first(list); count < max && page >= 0; page = frames.first(list)) {
        frames.unlink(page);
        victims[count++] = page;
      }
      return count;
    },
    putBack: (page) => frames.append(list, page),
    isEmpty: () => frames.first(list) < 0,
    oldest: () => frames.first(list),
    after: (page) => frames.next(page),
  };
}

const machine = createMachine({ cpus: [{ node: 0 }, { node: 0 }] });
const { objects } = machine;
const nobody = { monitor: null, probe: null };
const frames = createFrameTable(
  { sections: [{ node: 0, pageCount: EPC_PAGES }] },
  { objects, monitor: null },
);
const hardware = createSgxHardware({ pageCount: EPC_PAGES, cpuCount: 2 }, { objects, ...nobody });
const user = machine.createThread({ name: 'user', cpu: 0, mm: 0 });
const daemon = machine.createThread({ name: 'ksgxd', cpu: 1, isKernel: true });

const pool = createNodePools({}, { frames, locks: machine, hardware, probe: null });
const owners = createOwnerRegistry();
const lists = createReclaimLists({
  frames,
  locks: machine,
  owners,
  policy: youngestFirst(frames),
  probe: null,
});
const batch = new Batch({ frames, lists, owners, pool, charge: null, probe: null });
const wake = watermarks({ low: 8, high: 16 });
const reclaimer = createReclaimer(
  { batchPages: 4, daemons: [{ thread: daemon.id }] },
  { lists, batch, pool, wake, locks: machine, probe: null },
);
const allocator = createPageAllocator({ frames, pool, reclaimer, charge: null });
const ipi = machine.createIpi({ arrive: (_, cpu) => hardware.aex(cpu), leave: () => {} }, null);
const tracker = createEtrack(hardware);

function createPaging(owner: OwnerId, pageCount: number, isBeingWritten: (index: number) => boolean) {
  const slots = createVersionSlots();
  const backing = createBackingStore({ pageCount }, { probe: null, owner });
  const writeBack = createWriteBack({
    hardware,
    tracker,
    ipi,
    probe: null,
    slots,
    backing,
    cpus: createCpuSet(2),
  });
  const loadBack = createLoadBack({ hardware, probe: null, slots, backing, isBeingWritten });
  return { slots, backing, writeBack, loadBack };
}

const driver = createEnclaveDriver({
  frames,
  hardware,
  allocator,
  lists,
  locks: machine,
  objects,
  ...nobody,
  createPaging,
});
owners.register(driver.owner);
machine.start(daemon, reclaimer.main(daemon, pool.sanitize(daemon)));
machine.runKernelThreads();
assert.equal(pool.free, EPC_PAGES);

const mm = createAddressSpace(
  { id: 0, name: 'process', cpuCount: 2 },
  { locks: machine, objects, ...nobody },
);
mm.load(user.cpu);
const enclave = driver.open();
const run = <T>(routine: Routine<T>): T => {
  const result = machine.run(user, routine);
  machine.returnToUser();
  return result;
};

const range = { pageCount: ENCLAVE_PAGES, basePage: driver.chooseBasePage(ENCLAVE_PAGES), attributes: 4 };
const pages = { page: 0, count: ENCLAVE_PAGES, type: PageType.REG, prot: Prot.R | Prot.W, isMeasured: false };
assert.equal(run(driver.create.run(user, enclave, range)), 0);
assert.deepEqual(run(driver.addPages.run(user, mm, enclave, pages)), { result: 0, count: ENCLAVE_PAGES });
assert.equal(run(driver.init.run(user, enclave, {})), 0);
assert.equal(
  run(driver.mapper.map(user, mm, enclave, { start: 0, end: ENCLAVE_PAGES, prot: pages.prot })),
  0,
);

for (let i = 0; i < 2 * ENCLAVE_PAGES; i++) touch(enclave, i % ENCLAVE_PAGES);
assert.deepEqual(checkEpcm(hardware), []);
run(driver.mapper.closeFile(user, enclave));
assert.equal(pool.free, EPC_PAGES);
console.log(`custom stack: ${2 * ENCLAVE_PAGES} touches over ${EPC_PAGES} EPC pages, all pages free again`);

/** Faults until the page is mapped. */
function touch(touched: Enclave, page: number): void {
  const table = mm.tableFor(touched.id, ENCLAVE_PAGES);
  while (table.pte[page] === 0) run(fault(touched, page));
}

function* fault(touched: Enclave, page: number): Routine<void> {
  while (mm.lock.mustWaitRead(user)) yield mm.lock.acquireRead;
  const vma = mm.table(touched.id)?.vmaOf(page);
  assert.ok(vma !== undefined);
  yield* driver.faults.fault(user, mm, vma, touched, page);
  mm.lock.releaseRead(user);
}
