import { createSgxHardware } from '@epckit/hardware';
import type { IpiSender, Probe, SgxHardware, TrackedOwner } from '@epckit/interface';
import {
  Attribute,
  Cost,
  Leaf,
  LeafFault,
  leafNames,
  NONE,
  PageType,
  SecInfo,
  SgxCode,
} from '@epckit/interface';
import { createMachine } from '@epckit/machine';
import { describe, expect, it } from 'vitest';
import {
  createBackingStore,
  createEtrack,
  createLoadBack,
  createVersionSlots,
  createWriteBack,
} from '../src/index.js';
import { PlainCpuSet } from './drive.js';

const VA = 0;
const SECS = 1;
const FIRST = 2;
const PAGES = 8;
const BASE = 1024;
const CPUS = [0, 1, 2];
const REG = SecInfo.R | SecInfo.W | (PageType.REG << SecInfo.TYPE_SHIFT);
const TCS = PageType.TCS << SecInfo.TYPE_SHIFT;

/** Makes an initialised enclave of one TCS page and seven REG pages; page `i` is in EPC page `2 + i`. */
function build(hardware: SgxHardware): void {
  hardware.epa(0, VA);
  hardware.ecreate(0, SECS, {
    basePage: BASE,
    pageCount: PAGES,
    attributes: Attribute.MODE64BIT,
    ssaFrameSize: 1,
  });
  for (let i = 0; i < PAGES; i++) hardware.eadd(0, FIRST + i, SECS, BASE + i, i === 0 ? TCS : REG, 100 + i);
  hardware.einit(0, SECS, {});
}

function setUp() {
  const log: string[] = [];
  const leaf: Probe['leaf'] = (_cpu, id, page, result) => {
    const name = leafNames[id] as string;
    log.push(id === Leaf.AEX ? name : `${name}(${page}) ${result}`);
  };
  const machine = createMachine({ cpus: CPUS.map(() => ({ node: 0 })) });
  const thread = machine.createThread({ name: 'reclaimer', cpu: 0 });
  const hardware = createSgxHardware(
    { pageCount: 32, cpuCount: CPUS.length },
    { objects: machine.objects, monitor: null, probe: { leaf } },
  );
  build(hardware);
  const slots = createVersionSlots();
  slots.addPage(VA);
  const backing = createBackingStore({ pageCount: PAGES }, { probe: null, owner: 1 });
  const ipi: IpiSender = {
    *send(sender, targets) {
      if (sender.spend(Cost.IPI_FIXED) > sender.limit) yield hardware.leafAt(SECS);
      return CPUS.filter((cpu) => cpu !== sender.cpu && targets.has(cpu) && hardware.aex(cpu)).length;
    },
    *kick() {},
  };
  const shared = { hardware, probe: null, slots, backing };
  const cpus = new PlainCpuSet();
  const writer = createWriteBack({ ...shared, tracker: createEtrack(hardware), ipi, cpus });
  const loader = createLoadBack({ ...shared, isBeingWritten: () => false });
  const owner: TrackedOwner = {
    id: 1,
    secs: SECS,
    *collectCpus(collecting, set) {
      if (collecting.clock > collecting.limit) yield hardware.leafAt(SECS);
      for (const cpu of CPUS) set.add(cpu);
    },
  };
  const evict = (page: number, index: number): number => {
    expect(machine.run(thread, backing.reserve(thread, index))).toBe(0);
    return machine.run(thread, writer.write(thread, owner, page, index));
  };
  const load = (target: number, secs: number, index: number, slot: number): number =>
    machine.run(thread, loader.load(thread, target, secs, index, slot));
  const block = (...indices: number[]): void => {
    for (const index of indices) expect(hardware.eblock(0, FIRST + index)).toBe(0);
  };
  log.length = 0;
  return { log, hardware, backing, slots, evict, load, block };
}

describe('write-back and load-back on the hardware model', () => {
  it('T3: a batch of three pages with one thread inside', () => {
    const { log, hardware, evict, block } = setUp();
    expect(hardware.eenter(1, FIRST, BASE)).toBe(0);
    block(1, 2, 3);
    log.length = 0;
    expect([evict(3, 1), evict(4, 2), evict(5, 3)]).toEqual([0, 1, 2]);
    expect(log).toEqual([
      'EWB(3) 11',
      `ETRACK(${SECS}) 0`,
      'EWB(3) 11',
      'AEX',
      'EWB(3) 0',
      'EWB(4) 0',
      'EWB(5) 0',
    ]);
    expect(hardware.occupiedSlots(VA)).toBe(3);
  });

  it('T4 and T5: the last child, the SECS, and the way back', () => {
    const { log, hardware, backing, slots, evict, load, block } = setUp();
    block(0, 1, 2, 3, 4, 5, 6, 7);
    for (let i = 0; i < PAGES; i++) expect(evict(FIRST + i, i)).toBe(i);
    expect(evict(SECS, PAGES)).toBe(8);
    expect(log.slice(-2)).toEqual(['EWB(9) 0', `EWB(${SECS}) 0`]);
    expect(backing.presentPages()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);

    expect(load(20, NONE, PAGES, 8)).toBe(0);
    expect(load(21, 20, 7, 7)).toBe(0);
    expect(hardware.entry(21)).toMatchObject({ secs: 20, linearPage: BASE + 7, contents: 107 });
    expect(backing.presentPages()).toEqual([0, 1, 2, 3, 4, 5, 6, 9]);
    expect([...slots.pages()]).toEqual([{ index: 0, page: VA, used: 7 }]);
    expect(hardware.occupiedSlots(VA)).toBe(7);
  });

  it('leaves a page that was never blocked where it is', () => {
    const { hardware, evict, slots } = setUp();
    expect(evict(3, 1)).toBe(-SgxCode.PAGE_NOT_BLOCKED);
    expect(hardware.isValid(3)).toBe(true);
    expect([...slots.pages()]).toEqual([{ index: 0, page: VA, used: 0 }]);
  });

  it('loses a page whose load failed once, as recorded from the kernel', () => {
    const { backing, evict, load, block } = setUp();
    block(1, 2);
    expect([evict(3, 1), evict(4, 2)]).toEqual([0, 1]);
    expect(load(20, SECS, 1, 1)).toBe(SgxCode.MAC_COMPARE_FAIL);
    expect(load(20, SECS, 1, 0)).toBe(LeafFault.GP);
    expect(load(20, SECS, 2, 1)).toBe(0);
    expect(backing.presentPages()).toEqual([]);
  });
});
