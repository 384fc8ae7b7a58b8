/**
 * Leaves per second in the tag mode against a bare loop, and bytes of EPCM per page.
 *
 * (a) a bare loop of as many typed-array writes as there are leaves
 * (b) EADD of every page, (c) EREMOVE of every page
 * (d) round trip of a page: EBLOCK, ETRACK, EWB, ELDU
 *
 * All in one run, interleaved, medians of processor time. ECREATE, EINIT and EPA are not part of it. SHA-256 of EADD is: it is how long
 * EADD takes.
 */
import type { HardwareModel } from '@epckit/hardware';
import { createSgxHardware } from '@epckit/hardware';
import type { ObjectRegistry, PagingBlob } from '@epckit/interface';
import { PageType, SecInfo } from '@epckit/interface';

const ROUNDS = 9;
const WARM_UP = 3;
const PAGES = 2 ** 16;
const ROUND_TRIPS = 2 ** 19;
const FOOTPRINT_PAGES = 4 * 2 ** 20;
const BASE = 2 ** 20;
const REG_RW = SecInfo.R | SecInfo.W | (PageType.REG << SecInfo.TYPE_SHIFT);
const [VA, SECS, FIRST] = [0, 1, 2];

function createObjects(): ObjectRegistry {
  let next = 0;
  return {
    range: (_kind, count) => {
      next += count;
      return next - count;
    },
    nameOf: String,
  };
}

function hardwareOf(pageCount: number): HardwareModel {
  return createSgxHardware(
    { pageCount, cpuCount: 2 },
    { objects: createObjects(), monitor: null, probe: null },
  );
}

function building(): HardwareModel {
  const hardware = hardwareOf(PAGES + FIRST);
  requireZero(hardware.epa(0, VA));
  const source = { basePage: BASE, pageCount: 2 * PAGES, attributes: 4, ssaFrameSize: 1 };
  requireZero(hardware.ecreate(0, SECS, source));
  return hardware;
}

/** Processor time of this process: other work on the machine disturbs it less than wall time. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

function requireZero(result: number): void {
  if (result !== 0) throw new Error(`a leaf gives ${result}`);
}

/** (a) */
function bareLoop(words: Uint32Array, count: number): number {
  const begin = cpuMs();
  const mask = words.length - 1;
  for (let index = 0; index < count; index++) words[(index * 7) & mask] = index;
  return cpuMs() - begin;
}

/** (b) */
function addAll(hardware: HardwareModel): number {
  const begin = cpuMs();
  let failures = 0;
  for (let page = 0; page < PAGES; page++) {
    failures |= hardware.eadd(0, FIRST + page, SECS, BASE + page, REG_RW, page);
  }
  requireZero(failures);
  return cpuMs() - begin;
}

/** (c) */
function removeAll(hardware: HardwareModel): number {
  const begin = cpuMs();
  let failures = 0;
  for (let page = 0; page < PAGES; page++) failures |= hardware.eremove(0, FIRST + page);
  requireZero(failures);
  return cpuMs() - begin;
}

/** (d) */
function roundTrips(hardware: HardwareModel, blob: PagingBlob): number {
  const begin = cpuMs();
  let failures = 0;
  for (let trip = 0; trip < ROUND_TRIPS; trip++) {
    const page = FIRST + (trip & (PAGES - 1));
    const slot = trip & 511;
    failures |= hardware.eblock(0, page);
    failures |= hardware.etrack(0, SECS);
    failures |= hardware.ewb(0, page, VA, slot, blob);
    failures |= hardware.eldu(0, page, SECS, VA, slot, blob);
  }
  requireZero(failures);
  return cpuMs() - begin;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] as number;
}

function arrayBytes(): number {
  globalThis.gc?.();
  return process.memoryUsage().arrayBuffers;
}

const before = arrayBytes();
let large: HardwareModel | null = hardwareOf(FOOTPRINT_PAGES);
const bytesPerPage = (arrayBytes() - before) / large.pageCount;
large = null;

const words = new Uint32Array(2 ** 16);
const times: Record<'bare' | 'add' | 'remove' | 'trip', number[]> = {
  bare: [],
  add: [],
  remove: [],
  trip: [],
};
for (let round = 0; round < WARM_UP + ROUNDS; round++) {
  const blob: PagingBlob = { contents: 0, secinfo: 0, enclaveId: 0, linearPage: 0, macLow: 0, macHigh: 0 };
  const hardware = building();
  const bare = bareLoop(words, 4 * ROUND_TRIPS);
  const add = addAll(hardware);
  requireZero(hardware.einit(0, SECS, {}));
  const trip = roundTrips(hardware, blob);
  const remove = removeAll(hardware);
  if (round < WARM_UP) continue;
  for (const [name, ms] of Object.entries({ bare, add, remove, trip })) times[name as 'add'].push(ms);
}

const perSecond = (count: number, ms: readonly number[]): number => Math.round((count / median(ms)) * 1000);
const bareNs = (median(times.bare) * 1e6) / (4 * ROUND_TRIPS);
console.log(
  JSON.stringify({
    bench: 'leaves',
    bareWritesPerSecond: perSecond(4 * ROUND_TRIPS, times.bare),
    eaddPerSecond: perSecond(PAGES, times.add),
    eremovePerSecond: perSecond(PAGES, times.remove),
    roundTripsPerSecond: perSecond(ROUND_TRIPS, times.trip),
    leafOfRoundTripAgainstBareWrite: (median(times.trip) * 1e6) / (4 * ROUND_TRIPS) / bareNs,
    bytesPerPage,
  }),
);
