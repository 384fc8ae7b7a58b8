import type { Enclave } from '@epckit/enclave';
import type { NativeOwner, NativeOwnerParts } from '@epckit/enclave/recipes';
import type { Routine } from '@epckit/interface';
import { Errno, PageType, Prot } from '@epckit/interface';
import type { Preset } from 'epckit';
import { AccessOutcome, linux6 } from 'epckit';
import { describe, expect, it } from 'vitest';
import {
  BlocksBeforeZap,
  CountsBeforeWrite,
  EvictsAnySecs,
  EvictsSecsUnlocked,
  MarksAfterBlock,
  MarksBeforeLoad,
  PinsTheDying,
  ReleasesListed,
  UnmarksBeforeLock,
} from '../../../enclave/test/museum/order-mutants.js';
import { MaskBeforeTrack } from '../../../paging/examples/mask-before-track.js';
import { DoesNotTrack, FailsOnce, ReleasesBeforeLoad } from '../../../paging/test/museum/order-mutants.js';
import { ClearsAfterFree } from '../../../reclaim/test/museum/clears-after-free.js';
import type { Case } from '../../src/index.js';
import { explore } from '../../src/index.js';
import { fullEpcCase } from './full-epc.js';
import { Scene, sceneCase } from './scene.js';

const DATA = 0;
const RELOADED = 'the page is back before the batch is over';
const ENTERED = 'the thread is inside before the batch is over';

const owner = (make: new (parts: NativeOwnerParts) => NativeOwner): Preset => {
  return { enclave: { owner: (parts) => new make(parts) } };
};

/**
 * CPU 0 evicts the data page and, if it is the only one, the SECS; CPU 1 accesses the page. There are frames enough,
 * so the access has to succeed.
 */
function evictBesideAccess(preset: Preset, pages: number, reportsRaces = true): Case {
  return sceneCase('eviction beside an access', (mark) => {
    const scene = new Scene({ preset, batchPages: 1, reportsRaces });
    const enclave = scene.build({ pages });
    scene.touch(enclave, DATA);
    let isOver = false;
    const evict = function* (): Routine<void> {
      yield* scene.batch();
      isOver = true;
    };
    const access = function* (): Routine<void> {
      const outcome = yield* scene.access(1, enclave, DATA);
      if (!isOver && outcome === AccessOutcome.OK) mark(RELOADED);
    };
    return {
      scene,
      routines: [evict(), access()],
      state: () => `${enclave.records.epc(DATA)} ${enclave.secs}`,
    };
  });
}

/** CPU 0 evicts the data page; a thread of the process comes to CPU 1 and enters through the TCS page. */
function evictBesideEntry(preset: Preset): Case {
  return sceneCase('eviction beside an entry', (mark) => {
    const scene = new Scene({ preset, batchPages: 1 });
    const enclave = scene.build({ pages: 1, hasTcs: true });
    scene.touch(enclave, 1);
    let isOver = false;
    const evict = function* (): Routine<void> {
      yield* scene.batch();
      isOver = true;
    };
    const enter = function* (): Routine<void> {
      const cpu = scene.cpu(1);
      yield* cpu.load(scene.process);
      yield* cpu.enter(enclave, 1);
      if (!isOver) mark(ENTERED);
    };
    return { scene, routines: [evict(), enter()], state: () => `${enclave.records.epc(DATA)}` };
  });
}

/** CPU 0 runs a batch; CPU 1 closes the file, which was the last reference. */
function evictBesideClose(preset: Preset): Case {
  return sceneCase('eviction beside the last close', () => {
    const scene = new Scene({ preset, batchPages: 1 });
    const enclave = scene.build({ pages: 1 });
    const { mapper } = scene.epc.driver;
    scene.run(mapper.unmap(scene.thread(), scene.process.mm, enclave, 0, 2));
    const routines = [scene.batch(), mapper.closeFile(scene.thread(1), enclave)];
    return { scene, routines, state: () => `${scene.epc.pools.free}`, wrong: () => lostPages(scene) };
  });
}

function lostPages({ epc }: Scene): string[] {
  return epc.pools.free === epc.frames.pageCount ? [] : [`only ${epc.pools.free} pages are free`];
}

const within = { strategy: 'dfs', preemptions: 2 } as const;

function findingOf(subject: Case): string {
  const { finding } = explore(subject, within);
  return finding === null
    ? 'nothing'
    : `${finding.error.message} ${(finding.error as { details?: string[] }).details ?? ''}`;
}

/** Exhausted by the reduction, and the place was reached that the case is about. */
function expectClear(subject: Case, mark?: string): void {
  const result = explore(subject);
  expect(result).toMatchObject({ status: 'exhausted', finding: null });
  if (mark !== undefined) expect(result.marks.get(mark), mark).toBeGreaterThan(0);
}

describe('an order that is swapped is found:', () => {
  it('O-01: CPUs to interrupt noted before ETRACK', () => {
    const writeBack = (...parts: ConstructorParameters<typeof MaskBeforeTrack>) =>
      new MaskBeforeTrack(...parts);
    expect(findingOf(evictBesideEntry({ paging: { writeBack } }))).toContain('I-1b');
  });

  it('O-02: EBLOCK before the zap', () => {
    expect(findingOf(evictBesideAccess(owner(BlocksBeforeZap), 2))).toContain('SIGSEGV');
  });

  it('O-03: BEING_RECLAIMED set after EBLOCK', () => {
    expect(findingOf(evictBesideAccess(owner(MarksAfterBlock), 2))).toContain('SIGSEGV');
  });

  it('O-04: BEING_RECLAIMED cleared before the lock of the write', () => {
    expect(findingOf(evictBesideAccess(owner(UnmarksBeforeLock), 2))).toContain('SIGSEGV');
  });

  it('O-07: SECS evicted after the lock was released', () => {
    expect(findingOf(evictBesideAccess(owner(EvictsSecsUnlocked), 1, false))).not.toBe('nothing');
    expect(findingOf(evictBesideAccess(owner(EvictsSecsUnlocked), 1))).toContain('Unordered');
  });

  it('O-08: a dying enclave is pinned', () => {
    expect(findingOf(evictBesideClose(owner(PinsTheDying)))).not.toBe('nothing');
  });

  it('O-09: TRACKED cleared after the page is free', () => {
    const recipes: Preset = { batch: (components) => new ClearsAfterFree(components) };
    expect(findingOf(fullEpcCase('O-09', { recipes, reportsRaces: false }))).toContain('I-1');
  });
});

describe('the right order is clear:', () => {
  it('eviction of one of two pages beside an access', { timeout: 60_000 }, () => {
    expectClear(evictBesideAccess(linux6, 2), RELOADED);
  });

  it('eviction of the last page beside an access', { timeout: 60_000 }, () => {
    expectClear(evictBesideAccess(linux6, 1), RELOADED);
  });

  it('eviction beside an entry', { timeout: 60_000 }, () => {
    expectClear(evictBesideEntry(linux6), ENTERED);
  });

  it('eviction beside the last close', { timeout: 60_000 }, () => {
    expectClear(evictBesideClose(linux6));
  });
});

/** What is broken after one enclave of `pages` pages was evicted, in the direct world. */
function brokenByEviction(preset: Preset, pages: number): string {
  const scene = new Scene({ preset });
  scene.build({ pages });
  scene.run(scene.batch());
  return scene.broken().join();
}

describe('needs no second thread:', () => {
  it('O-05: the child counted out before its EWB', () => {
    expect(brokenByEviction(owner(CountsBeforeWrite), 1)).toContain('I-1');
    expect(brokenByEviction(linux6, 1)).toBe('');
  });

  it('O-06: SECS evicted before INIT', () => {
    const results = [owner(EvictsAnySecs), linux6].map((preset) => {
      const scene = new Scene({ preset });
      const { driver } = scene.epc;
      const enclave = driver.open();
      const { mm } = scene.process;
      const page = { page: 0, count: 1, type: PageType.REG, prot: Prot.R, isMeasured: false };
      const source = { pageCount: 2, basePage: driver.chooseBasePage(2), attributes: 4 };
      scene.run(driver.create.run(scene.thread(), enclave, source));
      scene.run(driver.addPages.run(scene.thread(), mm, enclave, page));
      scene.run(scene.batch());
      return scene.run(driver.addPages.run(scene.thread(), mm, enclave, { ...page, page: 1 })).result;
    });
    expect(results).toEqual([-Errno.EIO, 0]);
  });

  it('O-10: a page marked before its ELDU', () => {
    const paging: Preset = { paging: { loadBack: (components) => new FailsOnce(components) } };
    const mutant: Preset = { ...paging, enclave: { loader: (...parts) => new MarksBeforeLoad(...parts) } };
    const fault = (preset: Preset) => {
      const scene = new Scene({ preset });
      const enclave = scene.build({ pages: 1 });
      scene.run(scene.batch());
      return scene.run(scene.fault(0, enclave, DATA));
    };
    expect(() => fault(mutant)).toThrowError(/list/);
    expect(fault(paging)).toBe(1);
  });

  it('O-11: the version slot free before its ELDU', () => {
    const brokenAfterFault = (preset: Preset) => {
      const scene = new Scene({ preset });
      const enclave = scene.build({ pages: 1 });
      scene.run(scene.batch());
      scene.run(scene.fault(0, enclave, DATA));
      return scene.broken().filter((text) => text.includes('I-6'));
    };
    const wrong: Preset = { paging: { loadBack: (components) => new ReleasesBeforeLoad(components) } };
    const right: Preset = { paging: { loadBack: (components) => new FailsOnce(components) } };
    expect(brokenAfterFault(wrong).join()).toContain('I-6');
    expect(brokenAfterFault(right)).toEqual([]);
  });

  it('O-12: no ETRACK', () => {
    const preset: Preset = { paging: { writeBack: (components) => new DoesNotTrack(components) } };
    expect(brokenByEviction(preset, 2)).toContain('I-1b');
    expect(brokenByEviction(linux6, 2)).toBe('');
  });

  it('O-14: pages released while they are reclaimable', () => {
    const close = (preset: Preset) => {
      const scene = new Scene({ preset });
      const enclave: Enclave = scene.build({ pages: 2 });
      const { mapper } = scene.epc.driver;
      scene.run(mapper.unmap(scene.thread(), scene.process.mm, enclave, 0, 2));
      scene.run(mapper.closeFile(scene.thread(), enclave));
      return lostPages(scene);
    };
    const preset: Preset = { enclave: { releaser: (...parts) => new ReleasesListed(...parts) } };
    expect(() => close(preset)).toThrowError(/list/);
    expect(close(linux6)).toEqual([]);
  });
});
