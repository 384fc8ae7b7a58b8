import type { HardwareModel } from '@epckit/hardware';
import { Translated } from '@epckit/hardware';
import type { PagingBlob } from '@epckit/interface';
import { Access, PageType, SecInfo } from '@epckit/interface';
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Epcm } from '../src/epcm.js';
import { Tracking } from '../src/tracking.js';
import { BASE, empty, newBlob, REG_RW, SOURCE, TCS } from './fixture.js';

const CPUS = 4;
const PAGES = 5;
const VA = 0;
const SECS = 1;
const FIRST_TCS = 2;
const FIRST_PAGE = FIRST_TCS + CPUS;
const CHILDREN = CPUS + PAGES;
const TRIM = PageType.TRIM << SecInfo.TYPE_SHIFT;

const kinds = [
  ['enter', 5],
  ['resume', 2],
  ['exit', 3],
  ['aex', 3],
  ['access', 8],
  ['eblock', 4],
  ['etrack', 4],
  ['etrackc', 1],
  ['emodpr', 2],
  ['emodt', 2],
  ['eaccept', 4],
  ['ewb', 6],
  ['eremove', 2],
  ['reload', 3],
] as const;
type Kind = (typeof kinds)[number][0];
interface Step {
  readonly kind: Kind;
  readonly cpu: number;
  /** child page, TCS pages first */
  readonly child: number;
}

/** One enclave, a TCS per CPU, and TLBs that the test keeps itself beside those of the hardware. */
class Lab {
  readonly hardware: HardwareModel = empty({
    pageCount: FIRST_TCS + CHILDREN,
    cpuCount: CPUS,
    keepsTlbs: true,
  });
  readonly blobs = new Map<number, PagingBlob>();
  /** EPC pages that each CPU can reach without another check. */
  readonly reach = Array.from({ length: CPUS }, () => new Set<number>());
  /** "cpu 1 could reach page 4" */
  readonly stale: string[] = [];

  constructor() {
    const h = this.hardware;
    h.epa(0, VA);
    h.ecreate(0, SECS, SOURCE);
    for (let child = 0; child < CHILDREN; child++) {
      h.eadd(0, FIRST_TCS + child, SECS, BASE + child, child < CPUS ? TCS : REG_RW, child);
    }
    h.einit(0, SECS, {});
  }

  step({ kind, cpu, child }: Step): void {
    const h = this.hardware;
    const page = FIRST_TCS + child;
    const was = Array.from({ length: CHILDREN }, (_, n) => h.isValid(FIRST_TCS + n));
    this[kind](cpu, page, BASE + child);
    for (const [n, valid] of was.entries()) if (valid && !h.isValid(FIRST_TCS + n)) this.#left(FIRST_TCS + n);
  }
  enter(cpu: number): void {
    const tcs = FIRST_TCS + cpu;
    if (this.hardware.eenter(cpu, tcs, BASE + cpu) === 0) this.#flush(cpu).add(tcs);
  }
  resume(cpu: number): void {
    const tcs = FIRST_TCS + cpu;
    if (this.hardware.eresume(cpu, tcs, BASE + cpu) === 0) this.#flush(cpu).add(tcs);
  }
  exit(cpu: number): void {
    if (this.hardware.eexit(cpu) === 0) this.#flush(cpu);
  }
  aex(cpu: number): void {
    if (this.hardware.aex(cpu)) this.#flush(cpu);
  }
  access(cpu: number, page: number, linearPage: number): void {
    const h = this.hardware;
    if (h.insideOf(cpu) < 0) return;
    const mapping = { page, rights: SecInfo.R | SecInfo.W };
    if (h.access(cpu, linearPage, mapping, Access.READ) === Translated.FILLED) this.reach[cpu]?.add(page);
  }
  eblock(cpu: number, page: number): void {
    this.hardware.eblock(cpu, page);
  }
  etrack(cpu: number): void {
    this.hardware.etrack(cpu, SECS);
  }
  etrackc(cpu: number, page: number): void {
    this.hardware.etrackc(cpu, page);
  }
  emodpr(cpu: number, page: number): void {
    this.hardware.emodpr(cpu, page, SecInfo.R);
  }
  emodt(cpu: number, page: number): void {
    this.hardware.emodt(cpu, page, TRIM);
  }
  eaccept(cpu: number, page: number, linearPage: number): void {
    const { flags, type } = this.hardware.entry(page);
    this.hardware.eaccept(cpu, page, linearPage, flags | (type << SecInfo.TYPE_SHIFT));
  }
  ewb(cpu: number, page: number): void {
    const blob = newBlob();
    if (this.hardware.ewb(cpu, page, VA, page, blob) === 0) this.blobs.set(page, blob);
  }
  eremove(cpu: number, page: number): void {
    this.hardware.eremove(cpu, page);
  }
  /** Brings a page back, or adds one where one was removed. */
  reload(cpu: number, page: number, linearPage: number): void {
    const blob = this.blobs.get(page);
    if (blob === undefined) this.hardware.eaug(cpu, page, SECS, linearPage, 0);
    else if (this.hardware.eldu(cpu, page, SECS, VA, page, blob) === 0) this.blobs.delete(page);
  }

  #flush(cpu: number): Set<number> {
    const reach = this.reach[cpu] as Set<number>;
    reach.clear();
    return reach;
  }
  #left(page: number): void {
    for (const [cpu, reach] of this.reach.entries())
      if (reach.has(page)) this.stale.push(`cpu ${cpu} could reach page ${page}`);
  }
}

const steps = fc.array(
  fc.record<Step>({
    kind: fc.oneof(...kinds.map(([kind, weight]) => ({ weight, arbitrary: fc.constant(kind) }))),
    cpu: fc.nat(CPUS - 1),
    child: fc.oneof(
      { weight: 1, arbitrary: fc.nat(CPUS - 1) },
      { weight: 4, arbitrary: fc.integer({ min: CPUS, max: CHILDREN - 1 }) },
    ),
  }),
  { minLength: 80, maxLength: 250, size: 'max' },
);

/** I9, as the hardware and as the test see it. */
const keepsI9 = fc.property(steps, (list) => {
  const lab = new Lab();
  for (const step of list) {
    lab.step(step);
    if (lab.stale.length + lab.hardware.staleTranslations.length === 0) continue;
    const seen = lab.hardware.staleTranslations.map(({ cpu, page }) => `cpu ${cpu} could reach page ${page}`);
    expect(new Set(seen)).toEqual(new Set(lab.stale));
    throw new Error(lab.stale.join(', '));
  }
});

afterEach(() => vi.restoreAllMocks());

describe('I9: no page leaves while a processor can reach it', () => {
  it('over random interleavings on four processors', () => {
    fc.assert(keepsI9, { numRuns: 500, seed: 11 });
  });

  it('random interleavings write pages out, and remove accepted ones, while processors are inside', () => {
    const count = { ewb: 0, eremove: 0, eaccept: 0 };
    const property = fc.property(steps, (list) => {
      const lab = new Lab();
      for (const step of list) {
        const page = FIRST_TCS + step.child;
        const before = lab.hardware.entry(page);
        lab.step(step);
        const { current, previous } = lab.hardware.tracking(SECS);
        if (current + previous === 0) continue;
        const after = lab.hardware.entry(page);
        if (step.kind === 'ewb' && before.valid && !after.valid) count.ewb++;
        if (step.kind === 'eremove' && before.valid && !after.valid) count.eremove++;
        if (step.kind === 'eaccept' && before.flags !== after.flags) count.eaccept++;
      }
    });
    fc.assert(property, { numRuns: 600, seed: 11 });
    expect(count.ewb).toBeGreaterThan(200);
    expect(count.eremove).toBeGreaterThan(5);
    expect(count.eaccept).toBeGreaterThan(50);
  });

  it.each([
    ['takes every page for tracked', () => vi.spyOn(Tracking.prototype, 'isTracked').mockReturnValue(true)],
    [
      'forgets the processors that an ETRACK has to wait for',
      () => vi.spyOn(Tracking.prototype, 'previous').mockReturnValue(0),
    ],
    ['does not count who is inside', () => vi.spyOn(Tracking.prototype, 'isActive').mockReturnValue(false)],
    [
      'notes an older epoch for a blocked page',
      () => {
        const { block } = Epcm.prototype;
        vi.spyOn(Epcm.prototype, 'block').mockImplementation(function (this: Epcm, page, epoch) {
          block.call(this, page, epoch - 1);
        });
      },
    ],
  ])('is broken by hardware that %s', (_name, mutate) => {
    mutate();
    const { failed, errorInstance } = fc.check(keepsI9, { numRuns: 600, seed: 11, endOnFailure: true });
    expect(failed).toBe(true);
    expect(String(errorInstance)).toMatch(/could reach/);
  });
});

describe('a page that is trimmed and removed while processors are inside', () => {
  const child = CPUS;
  const steps: Step[] = [
    { kind: 'enter', cpu: 1, child },
    { kind: 'enter', cpu: 2, child },
    { kind: 'access', cpu: 1, child },
    { kind: 'emodt', cpu: 0, child },
    { kind: 'eaccept', cpu: 2, child },
    { kind: 'eremove', cpu: 0, child },
  ];
  function staleAfterTrim(): string[] {
    const lab = new Lab();
    for (const step of steps) lab.step(step);
    return lab.stale;
  }

  it('stays until nobody can reach it', () => {
    expect(staleAfterTrim()).toEqual([]);
  });
  it('goes too early on hardware that notes no epoch for it', () => {
    const { setSecinfo } = Epcm.prototype;
    vi.spyOn(Epcm.prototype, 'modify').mockImplementation(setSecinfo);
    expect(staleAfterTrim()).toEqual([`cpu 1 could reach page ${FIRST_PAGE}`]);
  });
});

describe('counts', () => {
  it('the older count grows by ETRACK only, and both together are the processors inside', () => {
    const property = fc.property(steps, (list) => {
      const lab = new Lab();
      for (const step of list) {
        const before = lab.hardware.tracking(SECS).previous;
        lab.step(step);
        const { current, previous } = lab.hardware.tracking(SECS);
        const mayGrow = step.kind === 'etrack' || step.kind === 'etrackc';
        if (!mayGrow && previous > before) throw new Error(`${step.kind}: ${before} has become ${previous}`);
        let inside = 0;
        for (let cpu = 0; cpu < CPUS; cpu++) if (lab.hardware.insideOf(cpu) === SECS) inside++;
        if (current + previous !== inside) throw new Error(`${current} + ${previous}, but ${inside} inside`);
      }
    });
    fc.assert(property, { numRuns: 300, seed: 12 });
  });

  it('after an ETRACK and an interrupt to everybody, no page that was blocked before is refused', () => {
    let written = 0;
    const property = fc.property(steps, steps, (list, later) => {
      const lab = new Lab();
      for (const step of list) lab.step(step);
      const h = lab.hardware;
      if (h.etrack(0, SECS) !== 0) return;
      const isBlocked = (page: number) => h.entry(page).blocked;
      const blocked = Array.from({ length: CHILDREN }, (_, n) => FIRST_TCS + n).filter(isBlocked);
      for (let cpu = 0; cpu < CPUS; cpu++) lab.aex(cpu);
      // Neither entries nor later changes of other pages delay them.
      for (const step of later.slice(0, 20))
        if (['enter', 'resume', 'access'].includes(step.kind)) lab.step(step);
      for (const page of blocked) {
        const result = h.ewb(0, page, VA, 100 + page, newBlob());
        expect(result).toBe(0);
        written++;
      }
    });
    fc.assert(property, { numRuns: 300, seed: 13 });
    expect(written).toBeGreaterThan(100);
  });
});

it('an accepted restriction leaves no wider translation behind', () => {
  const property = fc.property(steps, (list) => {
    const lab = new Lab();
    const h = lab.hardware;
    for (const step of list) {
      const page = FIRST_TCS + step.child;
      const before = h.entry(page);
      lab.step(step);
      const wasRestricted = (before.flags & SecInfo.PR) !== 0 && (h.entry(page).flags & SecInfo.PR) === 0;
      if (step.kind !== 'eaccept' || !wasRestricted) continue;
      for (let cpu = 0; cpu < CPUS; cpu++) {
        if (h.insideOf(cpu) < 0) continue;
        const mapping = { page, rights: SecInfo.R | SecInfo.W };
        expect(h.access(cpu, BASE + step.child, mapping, Access.WRITE)).toBe(Translated.EPCM_FAULT);
      }
    }
  });
  fc.assert(property, { numRuns: 300, seed: 14 });
});
