import type { IpiSender, LeafResult, TrackedOwner } from '@epckit/interface';
import { Cost, LeafFault, Mode, op, SgxCode } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import { MaskBeforeTrack } from '../examples/mask-before-track.js';
import { emptyBlob } from '../src/empty-blob.js';
import { createBackingStore, createEtrack, createVersionSlots } from '../src/index.js';
import { WriteBack } from '../src/recipes.js';
import { drive, loggingProbe, PlainCpuSet, soleThread } from './drive.js';
import { scriptedHardware } from './scripted-hardware.js';

const { NOT_TRACKED, PREV_TRK_INCMPL, PAGE_NOT_BLOCKED } = SgxCode;
const SECS = 1;
const VA_PAGE = 2;
const COLLECTING = op(7, Mode.READ);

function setUp(results: LeafResult[], Recipe: typeof WriteBack = WriteBack) {
  const log: string[] = [];
  const thread = soleThread();
  const probe = loggingProbe(log);
  const hardware = scriptedHardware(results, log);
  const slots = createVersionSlots();
  slots.addPage(VA_PAGE);
  const backing = createBackingStore({ pageCount: 64 }, { probe, owner: 1 });
  const owner: TrackedOwner = {
    id: 1,
    secs: SECS,
    *collectCpus(collecting, cpus) {
      if (collecting.clock > collecting.limit) yield COLLECTING;
      log.push('collect');
      cpus.add(0);
      cpus.add(3);
    },
  };
  const ipi: IpiSender = {
    *send(_thread, cpus) {
      log.push(`IPI ${[0, 1, 2, 3].filter((cpu) => cpus.has(cpu)).join(',')}`);
      return 1;
    },
    *kick() {},
  };
  const tracker = createEtrack(hardware);
  const writer = new Recipe({ hardware, tracker, ipi, probe, slots, backing, cpus: new PlainCpuSet() });
  const write = (page: number, index: number): number => {
    drive(backing.reserve(thread, index));
    return drive(writer.write(thread, owner, page, index)).result;
  };
  return { log, thread, slots, backing, owner, writer, write };
}

const used = (slots: ReturnType<typeof createVersionSlots>) => [...slots.pages()].map((page) => page.used);

describe('write-back', () => {
  it('needs one EWB for a page whose tracking cycle is over', () => {
    const { log, write, slots } = setUp([0]);
    expect(write(20, 5)).toBe(0);
    expect(log).toEqual(['EWB(20, 2:0) 0']);
    expect(used(slots)).toEqual([1]);
  });

  it('starts one tracking cycle per batch when nobody is inside', () => {
    const { log, write } = setUp([NOT_TRACKED, 0, 0, 0, 0]);
    expect([write(20, 5), write(21, 6), write(22, 7)]).toEqual([0, 1, 2]);
    expect(log).toEqual([
      'EWB(20, 2:0) 11',
      'ETRACK(1) 0',
      'EWB(20, 2:0) 0',
      'EWB(21, 2:1) 0',
      'EWB(22, 2:2) 0',
    ]);
  });

  it('interrupts once per batch when a thread is inside, and collects CPUs after ETRACK', () => {
    const { log, write } = setUp([NOT_TRACKED, 0, NOT_TRACKED, 0, 0]);
    expect([write(20, 5), write(21, 6)]).toEqual([0, 1]);
    expect(log).toEqual([
      'EWB(20, 2:0) 11',
      'ETRACK(1) 0',
      'EWB(20, 2:0) 11',
      'collect',
      'IPI 0,3',
      'EWB(20, 2:0) 0',
      'EWB(21, 2:1) 0',
    ]);
  });

  it('warns of an ETRACK that finds the previous cycle incomplete, and goes on', () => {
    const { log, write } = setUp([NOT_TRACKED, PREV_TRK_INCMPL, NOT_TRACKED, 0]);
    expect(write(20, 5)).toBe(0);
    expect(log).toEqual([
      'EWB(20, 2:0) 11',
      'ETRACK(1) 17',
      'warn sgx_encl_ewb',
      'EWB(20, 2:0) 11',
      'collect',
      'IPI 0,3',
      'EWB(20, 2:0) 0',
    ]);
  });

  it('ends with another result at once, warns and gives the slot back', () => {
    const { log, write, slots, backing } = setUp([PAGE_NOT_BLOCKED, 0]);
    expect(write(20, 5)).toBe(-PAGE_NOT_BLOCKED);
    expect(log).toEqual(['EWB(20, 2:0) 10', 'warn sgx_encl_ewb']);
    expect(used(slots)).toEqual([0]);
    const blob = emptyBlob();
    backing.fetch(5, blob);
    expect(blob).toEqual(emptyBlob());
    expect(write(21, 6)).toBe(0);
  });

  it('ends after the second or third EWB with whatever that says', () => {
    const second = setUp([NOT_TRACKED, 0, LeafFault.GP]);
    expect(second.write(20, 5)).toBe(-LeafFault.GP);
    const third = setUp([NOT_TRACKED, 0, NOT_TRACKED, NOT_TRACKED]);
    expect(third.write(20, 5)).toBe(-NOT_TRACKED);
    expect(third.log.at(-1)).toBe('warn sgx_encl_ewb');
    expect(used(third.slots)).toEqual([0]);
  });

  it('does not warn of a page fault, which means that the EPC was lost', () => {
    const { log, write, slots } = setUp([LeafFault.PF]);
    expect(write(20, 5)).toBe(-LeafFault.PF);
    expect(log).toEqual([`EWB(20, 2:0) ${LeafFault.PF}`]);
    expect(used(slots)).toEqual([0]);
  });

  it('rotates a filled page even if its EWB fails then', () => {
    const { write, slots } = setUp([...Array<number>(511).fill(0), PAGE_NOT_BLOCKED, 0]);
    slots.addPage(3);
    for (let i = 0; i < 511; i++) expect(write(20, 5)).toBe(512 + i);
    expect(write(20, 5)).toBe(-PAGE_NOT_BLOCKED);
    expect([...slots.pages()].map((page) => page.page)).toEqual([VA_PAGE, 3]);
    expect(write(20, 5)).toBe(0);
  });

  it('stores what EWB wrote', () => {
    const { write, backing } = setUp([0]);
    write(20, 5);
    const blob = { contents: 0, secinfo: 0, enclaveId: 0, linearPage: 0, macLow: 0, macHigh: 0 };
    backing.fetch(5, blob);
    expect(blob).toMatchObject({ contents: 520, macLow: 9 });
  });

  it('stops before every leaf and pays for each', () => {
    const { thread, backing, writer, owner } = setUp([NOT_TRACKED, 0, NOT_TRACKED, 0]);
    drive(backing.reserve(thread, 5));
    thread.limit = -1;
    const { stops } = drive(writer.write(thread, owner, 20, 5));
    const at = (page: number) => op(1000 + page, Mode.LEAF);
    expect(stops).toEqual([at(20), at(SECS), at(20), COLLECTING, at(20)]);
    expect([thread.counts[Cost.EWB], thread.counts[Cost.ETRACK]]).toEqual([3, 1]);
  });
});

describe('order mutants, one override each', () => {
  const TrackSkipped = class extends WriteBack {
    protected override *track() {
      return 0;
    }
  };

  it('O-01: the mask is collected before the cycle begins', () => {
    const { log, write } = setUp([NOT_TRACKED, 0, NOT_TRACKED, 0], MaskBeforeTrack);
    write(20, 5);
    expect(log.slice(1, 3)).toEqual(['collect', 'ETRACK(1) 0']);
  });

  it('O-12: no cycle is started, so the page cannot leave', () => {
    const { log, write } = setUp([NOT_TRACKED, NOT_TRACKED, NOT_TRACKED], TrackSkipped);
    expect(write(20, 5)).toBe(-NOT_TRACKED);
    expect(log.filter((line) => line.startsWith('ETRACK'))).toEqual([]);
  });
});
