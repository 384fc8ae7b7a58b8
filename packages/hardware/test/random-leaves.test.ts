import type { HardwareModel } from '@epckit/hardware';
import { checkEpcm } from '@epckit/hardware';
import type { AccessKind, PagingBlob } from '@epckit/interface';
import { Access, EpcmCheck, PageType } from '@epckit/interface';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BASE, empty, furnish, newBlob, noSecs, REG_RW, SOURCE, TCS } from './fixture.js';

const PAGES = 12;
const CPUS = 3;
const SLOTS = 4;

/** One operation: what, on which processor, and numbers to choose operands with. */
interface Step {
  readonly kind: keyof typeof operations;
  readonly cpu: number;
  readonly page: number;
  readonly other: number;
  readonly slot: number;
}

/** Hardware plus what the test itself keeps: translation caches, and the blobs that software would keep. */
class World {
  readonly hardware: HardwareModel = furnish(empty({ pageCount: PAGES, cpuCount: CPUS }));
  readonly tlb = Array.from({ length: CPUS }, () => new Set<number>());
  readonly blobs = new Map<string, PagingBlob>();

  flush(cpu: number): void {
    this.tlb[cpu]?.clear();
  }
  /** Pages of a type, or of any type if there are none. */
  pick(type: number, number: number): number {
    const found = [...Array(PAGES).keys()].filter((page) => {
      const entry = this.hardware.entry(page);
      return type === FREE ? !entry.valid : entry.valid && entry.type === type;
    });
    return found[number % Math.max(found.length, 1)] ?? number % PAGES;
  }
  /** I9: who freed a page must not have left a translation or an entered TCS behind. */
  expectUnused(page: number): void {
    for (let cpu = 0; cpu < CPUS; cpu++) {
      expect(this.tlb[cpu]?.has(page), `cpu ${cpu} still has a translation to page ${page}`).toBe(false);
      expect(this.hardware.tcsOf(cpu), `cpu ${cpu} is inside through page ${page}`).not.toBe(page);
    }
  }
}

const FREE = -1;
const { SECS, TCS: TCS_TYPE, REG, VA } = PageType;

const operations = {
  ecreate: ({ hardware, pick }: Bound, s: Step) => hardware.ecreate(s.cpu, pick(FREE, s.page), SOURCE),
  epa: ({ hardware, pick }: Bound, s: Step) => hardware.epa(s.cpu, pick(FREE, s.page)),
  eadd: ({ hardware, pick }: Bound, s: Step) =>
    hardware.eadd(
      s.cpu,
      pick(FREE, s.page),
      pick(SECS, s.other),
      BASE + s.slot,
      s.slot < 2 ? TCS : REG_RW,
      s.page,
    ),
  eextend: ({ hardware, pick }: Bound, s: Step) =>
    hardware.eextend(s.cpu, pick(REG, s.page), pick(SECS, s.other), s.slot),
  einit: ({ hardware, pick }: Bound, s: Step) => hardware.einit(s.cpu, pick(SECS, s.other), {}),
  eblock: ({ hardware, pick }: Bound, s: Step) => hardware.eblock(s.cpu, pick(REG, s.page)),
  eblockAny: ({ hardware }: Bound, s: Step) => hardware.eblock(s.cpu, s.page),
  etrack: ({ hardware, pick }: Bound, s: Step) => hardware.etrack(s.cpu, pick(SECS, s.other)),
  ewb: ({ world, hardware, pick }: Bound, s: Step) => {
    const va = pick(VA, s.other);
    const blob = newBlob();
    const result = hardware.ewb(s.cpu, s.page, va, s.slot, blob);
    if (result !== 0 && result !== 12) return;
    world.expectUnused(s.page);
    world.blobs.set(`${va}:${s.slot}`, blob);
  },
  eldu: ({ world, hardware, pick }: Bound, s: Step) => {
    const va = pick(VA, s.other);
    const blob = world.blobs.get(`${va}:${s.slot}`) ?? newBlob();
    const isChild = blob.secinfo >> 8 !== SECS && blob.secinfo >> 8 !== VA;
    hardware.eldu(s.cpu, pick(FREE, s.page), isChild ? pick(SECS, s.page) : noSecs, va, s.slot, blob);
  },
  eremove: ({ world, hardware }: Bound, s: Step) => {
    const isValid = hardware.isValid(s.page);
    if (hardware.eremove(s.cpu, s.page) === 0 && isValid) world.expectUnused(s.page);
  },
  eenter: ({ world, hardware, pick }: Bound, s: Step) => {
    const tcs = pick(TCS_TYPE, s.page);
    if (hardware.eenter(s.cpu, tcs, hardware.entry(tcs).linearPage) === 0) world.flush(s.cpu);
  },
  eresume: ({ world, hardware, pick }: Bound, s: Step) => {
    const tcs = pick(TCS_TYPE, s.page);
    if (hardware.eresume(s.cpu, tcs, hardware.entry(tcs).linearPage) === 0) world.flush(s.cpu);
  },
  eexit: ({ world, hardware }: Bound, s: Step) => {
    if (hardware.eexit(s.cpu) === 0) world.flush(s.cpu);
  },
  aex: ({ world, hardware }: Bound, s: Step) => {
    if (hardware.aex(s.cpu)) world.flush(s.cpu);
  },
  access: ({ world, hardware, pick }: Bound, s: Step) => {
    const secs = hardware.insideOf(s.cpu);
    const page = pick(REG, s.page);
    if (secs < 0 || world.tlb[s.cpu]?.has(page)) return;
    const kind = (s.slot % 2) as AccessKind;
    const { linearPage } = hardware.entry(page);
    if (hardware.check(secs, page, linearPage, kind) === EpcmCheck.OK) world.tlb[s.cpu]?.add(page);
  },
};
interface Bound {
  readonly world: World;
  readonly hardware: HardwareModel;
  readonly pick: (type: number, number: number) => number;
}

function run(world: World, step: Step): void {
  const bound = { world, hardware: world.hardware, pick: world.pick.bind(world) };
  operations[step.kind](bound, step);
}

function expectHealthy({ hardware }: World): void {
  expect(checkEpcm(hardware)).toEqual([]);
  for (let page = 0; page < PAGES; page++) {
    const { valid, type } = hardware.entry(page);
    if (!valid || type !== SECS) continue;
    const { current, previous } = hardware.tracking(page);
    const inside = [...Array(CPUS).keys()].filter((cpu) => hardware.insideOf(cpu) === page).length;
    expect(current + previous).toBe(inside);
  }
}

const names = Object.keys(operations) as Step['kind'][];
const weights: Partial<Record<Step['kind'], number>> = {
  access: 6,
  eblock: 5,
  etrack: 4,
  ewb: 6,
  eldu: 4,
  eenter: 4,
};
const kinds = fc.oneof(
  ...names.map((name) => ({ weight: weights[name] ?? 1, arbitrary: fc.constant(name) })),
);
const steps = fc.array(
  fc.record<Step>({
    kind: kinds,
    cpu: fc.nat(CPUS - 1),
    page: fc.nat(PAGES - 1),
    other: fc.nat(2),
    slot: fc.nat(SLOTS - 1),
  }),
  { minLength: 20, maxLength: 120 },
);

describe('random leaves', () => {
  it('keep I1 to I7, count who is inside, and never free a page that is still translated', () => {
    fc.assert(
      fc.property(steps, (list) => {
        const world = new World();
        for (const step of list) {
          run(world, step);
          expectHealthy(world);
        }
      }),
      { numRuns: 300, seed: 1 },
    );
  });

  it('reach every operation with success', () => {
    const evicted = { ewb: 0, freedWhileOthersInside: 0 };
    fc.assert(
      fc.property(steps, (list) => {
        const world = new World();
        for (const step of list) {
          const before = world.hardware.isValid(step.page);
          run(world, step);
          if (step.kind !== 'ewb' || !before || world.hardware.isValid(step.page)) continue;
          evicted.ewb++;
          if ([0, 1, 2].some((cpu) => world.hardware.insideOf(cpu) >= 0)) evicted.freedWhileOthersInside++;
        }
      }),
      { numRuns: 300, seed: 1 },
    );
    expect(evicted.ewb).toBeGreaterThan(200);
    expect(evicted.freedWhileOthersInside).toBeGreaterThan(50);
  });

  it('let the older count grow by ETRACK only', () => {
    fc.assert(
      fc.property(steps, (list) => {
        const world = new World();
        const previous = () => sumPrevious(world);
        for (const step of list) {
          const before = previous();
          run(world, step);
          if (step.kind !== 'etrack') expect(previous()).toBeLessThanOrEqual(before);
        }
      }),
      { numRuns: 100, seed: 2 },
    );
  });

  it('after an ETRACK and an interrupt to everybody, no page that was blocked before is refused', () => {
    fc.assert(
      fc.property(steps, fc.nat(2), (list, secsNumber) => {
        const world = new World();
        for (const step of list) run(world, step);
        const { hardware } = world;
        const secs = world.pick(SECS, secsNumber);
        if (hardware.etrack(0, secs) !== 0) return;
        const blocked = [...Array(PAGES).keys()].filter((page) => {
          const entry = hardware.entry(page);
          return entry.valid && entry.blocked && entry.secs === secs;
        });
        for (let cpu = 0; cpu < CPUS; cpu++) hardware.aex(cpu);
        const va = world.pick(VA, 0);
        for (const page of blocked) expect(hardware.ewb(0, page, va, 0, newBlob())).not.toBe(11);
      }),
      { numRuns: 200, seed: 3 },
    );
  });
});

function sumPrevious({ hardware }: World): number {
  let sum = 0;
  for (let page = 0; page < PAGES; page++) {
    const { valid, type } = hardware.entry(page);
    if (valid && type === SECS) sum += hardware.tracking(page).previous;
  }
  return sum;
}

it('an access needs a translation only once', () => {
  const { hardware } = new World();
  expect(hardware.check(1, 4, BASE + 2, Access.READ)).toBe(EpcmCheck.OK);
});
