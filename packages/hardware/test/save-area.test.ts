import type { HardwareModel } from '@epckit/hardware';
import { FaultOperand, TagContents } from '@epckit/hardware';
import { LeafFault, SecInfo } from '@epckit/interface';
import { afterEach, describe, expect, it, test, vi } from 'vitest';
import { Tracking } from '../src/tracking.js';
import { BASE, empty, newBlob, REG_RW, SOURCE, TCS } from './fixture.js';

const { GP, PF } = LeafFault;
afterEach(() => vi.restoreAllMocks());
const FRAME_PAGES = 3;
/** First linear page of frame 0; each frame is an XSAVE page, a page that nobody uses, and the page of registers. */
const FRAMES = BASE + 4;
const [VA, SECS, THREAD, FIRST] = [0, 1, 2, 3];
const TAG = 7;
const pageOf = (frame: number, page: number): number => FIRST + frame * FRAME_PAGES + page;

/** An enclave with one thread and two frames; the page table maps what `mapped` says. */
function machine(isInitialised = true): { hardware: HardwareModel; mapped: Map<number, number> } {
  const mapped = new Map<number, number>();
  const contents = new TagContents();
  contents.defineThread(TAG, {
    state: 0n,
    flags: 0n,
    saveArea: 4n * 4096n,
    frame: 0,
    frameCount: 2,
    entry: 0n,
    exitPointer: 0n,
    fsBase: 0n,
    gsBase: 0n,
    fsLimit: 0xfff,
    gsLimit: 0xfff,
    previousShadowStack: 0n,
    isReservedZero: true,
  });
  const hardware = empty(
    { keepsTlbs: true, features: { aexNotify: true } },
    { contents, walk: (_cpu, linearPage) => mapped.get(linearPage) ?? -1 },
  );
  hardware.epa(0, VA);
  hardware.ecreate(0, SECS, { ...SOURCE, ssaFrameSize: FRAME_PAGES });
  hardware.eadd(0, THREAD, SECS, BASE, TCS, TAG);
  for (let page = 0; page < 2 * FRAME_PAGES; page++) {
    hardware.eadd(0, FIRST + page, SECS, FRAMES + page, REG_RW, page);
    mapped.set(FRAMES + page, FIRST + page);
  }
  if (isInitialised) hardware.einit(0, SECS, {});
  return { hardware, mapped };
}
const enter = (hardware: HardwareModel) => hardware.eenter(0, THREAD, BASE);
const resume = (hardware: HardwareModel) => hardware.eresume(0, THREAD, BASE);

const spoil: [why: string, spoil: (h: HardwareModel, mapped: Map<number, number>, page: number) => void][] = [
  ['is not mapped', (_h, mapped, page) => void mapped.delete(FRAMES + page - FIRST)],
  ['is free', (h, _mapped, page) => void h.eremove(0, page)],
  ['is blocked', (h, _mapped, page) => void h.eblock(0, page)],
  ['is trimmed', (h, _mapped, page) => void h.emodt(0, page, 0x400)],
  ['is another page', (_h, mapped, page) => void mapped.set(FRAMES + page - FIRST, THREAD)],
  ['is at another address', (_h, mapped, page) => void mapped.set(FRAMES + page - FIRST, pageOf(1, 1))],
  ['is not writable', (h, _mapped, page) => void h.emodpr(0, page, SecInfo.R)],
];

describe('the save state area of an entry (row 12)', () => {
  test.each(spoil)('EENTER faults at a page that %s, and tells which', (_why, act) => {
    for (const page of [0, 2]) {
      const { hardware, mapped } = machine();
      act(hardware, mapped, pageOf(0, page));
      expect(enter(hardware)).toBe(PF);
      expect(hardware.faultOperand).toBe(FaultOperand.SAVE_AREA);
      expect(hardware.faultLinearPage).toBe(FRAMES + page);
      expect(hardware.insideOf(0)).toBe(-1);
      expect(hardware.tracking(SECS)).toMatchObject({ current: 0, previous: 0 });
    }
  });
  test.each(spoil)('so does ERESUME at a page that %s: a kernel must be able to load it', (_why, act) => {
    for (const page of [0, 2]) {
      const { hardware, mapped } = machine();
      expect(enter(hardware)).toBe(0);
      hardware.aex(0);
      act(hardware, mapped, pageOf(0, page));
      expect(resume(hardware)).toBe(PF);
      expect(hardware.faultLinearPage).toBe(FRAMES + page);
    }
  });
  test.each(spoil)('a page between XSAVE and registers may be one that %s', (_why, act) => {
    const { hardware, mapped } = machine();
    act(hardware, mapped, pageOf(0, 1));
    expect(enter(hardware)).toBe(0);
  });

  it('is looked at behind NSSA and before TCS.STATE', () => {
    const { hardware, mapped } = machine();
    expect(enter(hardware)).toBe(0);
    mapped.delete(FRAMES);
    expect(hardware.eenter(1, THREAD, BASE)).toBe(PF);
    hardware.aex(0);
    mapped.set(FRAMES, FIRST);
    expect(enter(hardware)).toBe(0);
    hardware.aex(0);
    mapped.clear();
    expect(enter(hardware)).toBe(GP);
  });
  it('comes after INIT', () => {
    const { hardware, mapped } = machine(false);
    mapped.clear();
    expect(enter(hardware)).toBe(GP);
  });
  it('is the frame that CSSA says', () => {
    const { hardware, mapped } = machine();
    expect(enter(hardware)).toBe(0);
    hardware.aex(0);
    mapped.delete(FRAMES + FRAME_PAGES);
    expect(enter(hardware)).toBe(PF);
    expect(hardware.faultLinearPage).toBe(FRAMES + FRAME_PAGES);
    expect(resume(hardware)).toBe(0);
  });
});

describe('EDECCSSA', () => {
  function nested() {
    const { hardware, mapped } = machine();
    enter(hardware);
    hardware.aex(0);
    expect(enter(hardware)).toBe(0);
    return { hardware, mapped };
  }
  it('drops a frame: the interrupted one can no longer be resumed', () => {
    const { hardware } = nested();
    const { changes } = hardware;
    expect(hardware.edeccssa(0)).toBe(0);
    expect(hardware.edeccssa(0)).toBe(GP);
    expect([hardware.insideOf(0), hardware.changes]).toEqual([SECS, changes]);
    expect(hardware.tracking(SECS)).toMatchObject({ current: 1, previous: 0 });
    hardware.eexit(0);
    expect(resume(hardware)).toBe(GP);
  });
  test.each(spoil)('faults at a page of the frame before that %s', (_why, act) => {
    const { hardware, mapped } = nested();
    // EREMOVE waits until nobody is inside.
    if (_why === 'is free') mapped.set(FRAMES, 15);
    else act(hardware, mapped, pageOf(0, 0));
    expect(hardware.edeccssa(0)).toBe(PF);
    expect(hardware.faultLinearPage).toBe(FRAMES);
  });
  it('is #GP outside, and where AEX-Notify is not enumerated', () => {
    expect(machine().hardware.edeccssa(0)).toBe(GP);
    const plain = empty();
    expect(plain.edeccssa(0)).toBe(GP);
  });
});

describe('I9 for save state areas', () => {
  /** Writes a page out although a processor may be inside, as broken tracking would. */
  function forceOut(hardware: HardwareModel, page: number): void {
    const state = hardware.eblock(0, page) + hardware.etrack(0, SECS);
    const result = hardware.ewb(0, page, VA, page, newBlob());
    expect([state, result]).toEqual([0, 11]);
  }
  it('the pages of the frame stay until the processor has left', () => {
    const { hardware } = machine();
    enter(hardware);
    forceOut(hardware, pageOf(0, 0));
    hardware.aex(0);
    expect(hardware.ewb(0, pageOf(0, 0), VA, 0, newBlob())).toBe(0);
    expect(hardware.staleTranslations).toEqual([]);
  });
  it('after EDECCSSA they are those of the frame before', () => {
    const { hardware } = machine();
    enter(hardware);
    hardware.aex(0);
    enter(hardware);
    expect(hardware.edeccssa(0)).toBe(0);
    vi.spyOn(Tracking.prototype, 'isTracked').mockReturnValue(true);
    for (const page of [pageOf(0, 0), pageOf(1, 0)]) {
      hardware.eblock(0, page);
      expect(hardware.ewb(0, page, VA, page, newBlob())).toBe(0);
    }
    expect(hardware.staleTranslations).toEqual([{ cpu: 0, page: pageOf(0, 0), holds: 'SSA' }]);
  });
  it('a page between them that was blocked before the entry may leave', () => {
    const { hardware } = machine();
    const page = pageOf(0, 1);
    expect(hardware.eblock(0, page) + hardware.etrack(0, SECS)).toBe(0);
    expect(enter(hardware)).toBe(0);
    expect(hardware.ewb(0, page, VA, 0, newBlob())).toBe(0);
    expect(hardware.staleTranslations).toEqual([]);
  });
});
