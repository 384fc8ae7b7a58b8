import type { PageTable, Vma } from '@epckit/interface';
import { NONE, Prot } from '@epckit/interface';
import type { Vepc } from '@epckit/vepc';
import { describe, expect, it } from 'vitest';
import type { Epc, ScriptStep, StepRecord, UserCpu } from '../../src/index.js';
import { createEpc, epckit, linux6 } from '../../src/index.js';
import type { PlayedScript } from '../replay/play.js';
import { build, events, fail, failLeaf, play } from '../replay/play.js';

/** The same steps on both presets. */
function both(steps: readonly unknown[], machine: object = {}): Record<'linux' | 'repaired', PlayedScript> {
  const played = [linux6, epckit].map((preset) => play(steps as readonly ScriptStep[], machine, preset));
  const [linux, repaired] = played as [PlayedScript, PlayedScript];
  return { linux, repaired };
}

const create = { op: 'create', encl: 'A', size_pages: 64 };
const init = { op: 'init', encl: 'A' };
const release = { op: 'release', encl: 'A' };
const dump = { op: 'dump', what: 'all' };
const reclaim = { op: 'ksgxd', force: true };
/** Ages what was touched: one batch per 16 pages. */
const touch = (page: number): readonly unknown[] => ['t', 'A', page];

const leavesOf = (record: StepRecord | undefined) =>
  events(record).map((event) => (event as readonly unknown[]).join(' '));

/** Pages on free lists, and what the count says. */
function free({ epc }: PlayedScript): { counted: number; listed: number } {
  return { counted: epc.pools.free, listed: epc.pools.freeOnNode(0) };
}

describe('linux-6 has it, epckit does not:', () => {
  it('L-02: an EWB that fails for good gives a valid page away', () => {
    const steps = [...build('A', 40), failLeaf('EWB', '#GP'), reclaim, touch(0), release];
    const { linux, repaired } = both(steps);
    expect(linux.broken).toContain('I-1b');
    expect(leavesOf(repaired.records[5])).toContainEqual(expect.stringMatching(/^EREMOVE 0:2 A 0 0/));
    expect(repaired.results.slice(-2)).toEqual(['SIGBUS', 'GONE']);
    expect(repaired.broken).toEqual([]);
    expect(free(repaired)).toEqual({ counted: 64, listed: 64 });
  });

  it('L-02: an EBLOCK that fails costs the contents of a page that nothing had happened to', () => {
    const { linux, repaired } = both([
      ...build('A', 40),
      failLeaf('EBLOCK', '#GP'),
      reclaim,
      touch(0),
      release,
    ]);
    expect(linux.broken).toContain('I-1b');
    expect(linux.results.at(-2)).toBe('SIGBUS');
    expect(repaired.broken).toEqual([]);
    expect(repaired.results.slice(-2)).toEqual(['OK', 'GONE']);
  });

  it('L-02: an EWB of the SECS that fails for good costs the whole enclave', () => {
    const steps = [...build('A', 2), failLeaf('EWB', '#GP', 3), reclaim, touch(0), dump, release];
    const { linux, repaired } = both(steps);
    expect(linux.results.slice(-3)).toEqual(['SIGBUS', 0, 'GONE']);
    expect(repaired.results.slice(-3)).toEqual(['OK', 0, 'GONE']);
    expect(repaired.broken).toEqual([]);
  });

  it('L-03: a page whose ELDU failed once can never be loaded', () => {
    const { linux, repaired } = both([...build('A', 2), reclaim, failLeaf('ELDU', 9, 1), touch(0), touch(0)]);
    expect(linux.results.slice(-2)).toEqual(['SIGBUS', 'SIGBUS']);
    expect(repaired.results.slice(-2)).toEqual(['SIGBUS', 'OK']);
  });

  it('L-04: an EEXTEND that fails leaves the child count too high, and the SECS is lost', () => {
    const add = { op: 'add', encl: 'A', page: 0, measure: true };
    const { linux, repaired } = both([create, failLeaf('EEXTEND', '#GP', 3), add, release]);
    expect(linux.broken).toEqual(['I-1', 'I-2']);
    expect(free(linux).listed).toBe(63);
    expect(repaired.broken).toEqual([]);
    expect(free(repaired).listed).toBe(64);
  });

  it('L-05: poisoned pages are counted as free', () => {
    const steps = [{ op: 'poison', page: '0:9' }, ...build('A', 2), { op: 'poison', page: '0:2' }, release];
    const { linux, repaired } = both(steps);
    expect(free(linux)).toEqual({ counted: 64, listed: 62 });
    expect(free(repaired)).toEqual({ counted: 62, listed: 62 });
  });

  it('L-06: MODIFY_TYPES makes a poisoned page reclaimable again', () => {
    const poison = { op: 'poison', page: '0:2' };
    const { linux, repaired } = both([
      ...build('A', 2),
      poison,
      { op: 'modt', encl: 'A', page: 0, type: 'TCS' },
      dump,
    ]);
    expect(linux.records.at(-1)).toMatchObject({ dump: { active: ['A:1', 'A:0'] } });
    expect(repaired.records.at(-1)).toMatchObject({ dump: { active: ['A:1'] } });
    expect(repaired.results).toEqual(linux.results);
  });

  it('L-08 (26): a SECS without children stays until another child was evicted', () => {
    // Backing for the SECS fails: the third page of the file after contents and PCMD of the one child.
    const steps = [...build('A', 1), fail('shmem_page', 2), reclaim, dump, reclaim, dump, touch(0), release];
    const { linux, repaired } = both(steps);
    expect(linux.records[6]).toMatchObject({ dump: { active: [], encl: { A: { secs: '0:1' } } } });
    expect(linux.records[8]).toMatchObject({ dump: { active: [], encl: { A: { secs: '0:1' } } } });
    expect(repaired.records[6]).toMatchObject({ dump: { active: [], encl: { A: { secs: null } } } });
    expect(repaired.results.slice(-2)).toEqual(['OK', 'GONE']);
    expect(repaired.broken).toEqual([]);
    expect(free(repaired).listed).toBe(64);
  });

  it('L-10: PROVISION before CREATE is forgotten', () => {
    const provision = { op: 'provision', encl: 'A', fd: 'provision' };
    const steps = [{ op: 'open', encl: 'A' }, provision, { ...create, attributes: 0x14 }, init];
    const { linux, repaired } = both(steps);
    expect(linux.results).toEqual([0, 0, 0, 'EACCES']);
    expect(repaired.results).toEqual([0, 0, 0, 0]);
  });

  it('L-11 (78): a child that cannot be registered keeps the enclave for ever', () => {
    const steps = [
      ...build('A', 4),
      fail('mmu_notifier'),
      { op: 'fork', proc: 'A', child: 'P' },
      { op: 'exit_proc', proc: 'P' },
      release,
    ];
    const { linux, repaired } = both(steps);
    expect([linux.results.at(-1), linux.broken]).toEqual(['STILL_OPEN', ['I-7']]);
    expect([repaired.results.at(-1), repaired.broken]).toEqual(['GONE', []]);
  });

  it('L-15: a refused tracking cycle leaves the old type in the records', () => {
    const trim = { op: 'modt', encl: 'A', page: 0, type: 'TRIM' };
    const steps = [...build('A', 2), { ...failLeaf('ETRACK', 17), count: 2 }, trim, dump];
    const { linux, repaired } = both(steps);
    expect([linux.results.at(-2), linux.broken]).toEqual(['EFAULT', ['EDMM', 'EPCM']]);
    expect([repaired.results.at(-2), repaired.broken]).toEqual(['EFAULT', []]);
  });

  it('42: a poisoned child of an earlier kernel pins its SECS for ever', () => {
    const steps = [
      { op: 'dirty', page: '0:0', kind: 'secs', secs: 'K' },
      { op: 'dirty', page: '0:1', kind: 'reg', secs: 'K' },
      { op: 'poison', page: '0:1' },
      { op: 'boot' },
      dump,
    ];
    const { linux, repaired } = both(steps);
    expect(leavesOf(linux.records[3]).at(-2)).toBe('WARN ksgxd');
    expect(free(linux).listed).toBe(62);
    expect(leavesOf(repaired.records[3]).slice(-3, -1)).toEqual([
      'EREMOVE 0:1 K 0 0',
      'EREMOVE 0:0 K SECS 0',
    ]);
    expect(free(repaired)).toEqual({ counted: 63, listed: 63 });
    expect(repaired.records.at(-1)).toMatchObject({ dump: { poison: { 0: ['0:1'] } } });
  });

  it('V-01: a guest page that another mapping has faults for ever', () => {
    const mapped = [linux6, epckit].map((preset) => {
      const machine = { cpus: [{ node: 0 }], sections: [{ node: 0, pageCount: 8 }] };
      const epc = createEpc({ ...preset, machine });
      epc.boot();
      const { thread } = epc.cpus[0] as UserCpu;
      const driver = epc.vepc as NonNullable<Epc['vepc']>;
      const vepc = driver.open(4) as Vepc;
      const range = { start: 0, end: 4, prot: Prot.R | Prot.W };
      const tables = ['vm', 'second'].map((name) => {
        const { mm } = epc.createProcess(name);
        epc.machine.run(thread, driver.mapper.map(thread, mm, vepc, range));
        const table = mm.table(vepc.id) as PageTable;
        const vma = table.vmaOf(1) as Vma;
        expect(epc.machine.run(thread, driver.faults.fault(thread, mm, vma, vepc, 1))).toBe(0);
        return table;
      });
      return tables.map((table) => table.frame(1));
    });
    expect(mapped).toEqual([
      [0, NONE],
      [0, 0],
    ]);
  });
});
