import type { HardwareComponents, HardwareModel, HardwareOptions } from '@epckit/hardware';
import { createSgxHardware } from '@epckit/hardware';
import type { ObjectRegistry, PagingBlob, SecsSource } from '@epckit/interface';
import { Attribute, NONE, PageType, SecInfo } from '@epckit/interface';
import { expect } from 'vitest';

/** First linear page of both enclaves of the fixture. */
export const BASE = 0x1000;
/** SECINFO of ordinary pages. */
export const REG_RW = SecInfo.R | SecInfo.W | (PageType.REG << SecInfo.TYPE_SHIFT);
/** SECINFO of a thread control structure. */
export const TCS = PageType.TCS << SecInfo.TYPE_SHIFT;
/** A legal SECS. */
export const SOURCE: SecsSource = {
  basePage: BASE,
  pageCount: 16,
  attributes: Attribute.MODE64BIT,
  ssaFrameSize: 1,
};

/**
 * Where things are in {@link furnished} hardware. Enclave A is initialised, enclave B is being built.
 * `rest` is the first of the free pages.
 */
export const at = {
  va: 0,
  secs: 1,
  tcs: 2,
  tcs2: 3,
  p: 4,
  q: 5,
  secsB: 6,
  pB: 7,
  va2: 8,
  rest: 9,
  outside: 99,
} as const;

/** Objects are numbered in the order of their reservation. */
export function createObjects(): ObjectRegistry {
  const ranges: { kind: string; first: number; count: number }[] = [];
  return {
    range(kind, count) {
      const last = ranges.at(-1);
      const first = last === undefined ? 0 : last.first + last.count;
      ranges.push({ kind, first, count });
      return first;
    },
    nameOf(object) {
      const range = ranges.findLast(({ first }) => first <= object);
      return range === undefined ? '?' : `${range.kind}[${object - range.first}]`;
    },
  };
}

/** Hardware with an empty EPC of 16 pages and 4 logical processors. */
export function empty(
  options: Partial<HardwareOptions> = {},
  components: Partial<HardwareComponents> = {},
): HardwareModel {
  const parts = { objects: createObjects(), monitor: null, probe: null, ...components };
  return createSgxHardware({ pageCount: 16, cpuCount: 4, ...options }, parts);
}

/** Puts the things of {@link at} into an empty EPC. */
export function furnish(hardware: HardwareModel): HardwareModel {
  const results = [
    hardware.epa(0, at.va),
    hardware.ecreate(0, at.secs, SOURCE),
    hardware.eadd(0, at.tcs, at.secs, BASE, TCS, 100),
    hardware.eadd(0, at.tcs2, at.secs, BASE + 1, TCS, 101),
    hardware.eadd(0, at.p, at.secs, BASE + 2, REG_RW, 102),
    hardware.eadd(0, at.q, at.secs, BASE + 3, REG_RW, 103),
    hardware.einit(0, at.secs, {}),
    hardware.ecreate(0, at.secsB, SOURCE),
    hardware.eadd(0, at.pB, at.secsB, BASE + 2, REG_RW, 104),
    hardware.epa(0, at.va2),
  ];
  expect(results).toEqual(results.map(() => 0));
  return hardware;
}

/** Hardware with the things of {@link at}. */
export function furnished(
  options: Partial<HardwareOptions> = {},
  components: Partial<HardwareComponents> = {},
): HardwareModel {
  return furnish(empty(options, components));
}

/** A blob for EWB to fill. */
export function newBlob(): PagingBlob {
  return { contents: 0, secinfo: 0, enclaveId: 0, linearPage: 0, macLow: 0, macHigh: 0 };
}

/** Blocks, tracks and writes a child page of an enclave that nobody is in. */
export function evict(
  hardware: HardwareModel,
  page: number,
  slot: number,
  vaPage: number = at.va,
): PagingBlob {
  const blob = newBlob();
  expect(hardware.eblock(0, page)).toBe(0);
  expect(hardware.etrack(0, hardware.entry(page).secs)).toBe(0);
  expect(hardware.ewb(0, page, vaPage, slot, blob)).toBe(0);
  return blob;
}

/** Everything that can be observed, for "nothing has changed". */
export function snapshot(hardware: HardwareModel): unknown {
  const pages = Array.from({ length: hardware.pageCount }, (_, page) => {
    const entry = hardware.entry(page);
    const isSecs = entry.valid && entry.type === PageType.SECS;
    return {
      entry,
      slots: hardware.occupiedSlots(page),
      secs: isSecs ? [hardware.tracking(page), hardware.enclave(page), hardware.measurement(page)] : null,
    };
  });
  const inside = Array.from({ length: hardware.cpuCount }, (_, cpu) => [
    hardware.insideOf(cpu),
    hardware.tcsOf(cpu),
  ]);
  return { pages, inside, changes: hardware.changes, images: hardware.savedImages };
}

/** One row of a leaf's outcome table. */
export interface OutcomeRow {
  /** Row in the leaf's order of checks, and what it is about. */
  readonly row: string;
  /** Brings furnished hardware into the state in which exactly this row decides. */
  readonly given?: (hardware: HardwareModel) => void;
  readonly when: (hardware: HardwareModel) => number;
  readonly result: number;
}

/** Runs a row that must fail: the result, and nothing has changed. */
export function expectRefusal({ given, when, result }: OutcomeRow): void {
  const hardware = furnished();
  given?.(hardware);
  const before = snapshot(hardware);
  expect(when(hardware)).toBe(result);
  expect(snapshot(hardware)).toEqual(before);
}

/** "No SECS" operand of SECS and VA pages. */
export const noSecs = NONE;
