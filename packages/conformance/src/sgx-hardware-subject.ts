import assert from 'node:assert/strict';
import type { EpcmEntry, PagingBlob, SecsSource, SgxHardware } from '@epckit/interface';
import { Attribute, FAULT_FLAG, PageType, SecInfo, sgxCodeNames } from '@epckit/interface';

/** What {@link sgxHardwareCases} tries: hardware with all leaves and an empty EPC, and blobs that it can fill. */
export interface SgxHardwareSubject {
  /** Hardware with SGX2, ENCLS_C, ENCLV and EUPDATESVN. Contents are numbers below 1000. */
  readonly hardware: SgxHardware;
  /** A blob for EWB to fill. */
  readonly newBlob: () => PagingBlob;
}

/** Size that the kit asks for. */
export interface SgxHardwareSize {
  /** EPC pages. */
  readonly pageCount: number;
  /** Logical processors. */
  readonly cpuCount: number;
}

/** First linear page of every enclave of the kit. */
export const BASE = 0x1000;
/** SECINFO of ordinary pages. */
export const REG_RW = SecInfo.R | SecInfo.W | (PageType.REG << SecInfo.TYPE_SHIFT);
/** SECINFO of a readable page. */
export const REG_R = SecInfo.R | (PageType.REG << SecInfo.TYPE_SHIFT);
/** SECINFO of a thread control structure. */
export const TCS = PageType.TCS << SecInfo.TYPE_SHIFT;
/** SECINFO that EMODT takes to trim a page. */
export const TRIM = PageType.TRIM << SecInfo.TYPE_SHIFT;
/** A legal SECS. */
export const SOURCE: SecsSource = {
  basePage: BASE,
  pageCount: 16,
  attributes: Attribute.MODE64BIT | Attribute.DEBUG,
  ssaFrameSize: 1,
};

/**
 * Where things are in a furnished EPC. Enclave A is initialised, enclave B is being built; a child page is at the
 * linear page `BASE` + its number. Pages from `free` on are free.
 */
export const at = {
  va: 0,
  va2: 1,
  secs: 2,
  tcs: 3,
  tcs2: 4,
  p: 5,
  q: 6,
  secsB: 7,
  pB: 8,
  free: 9,
  free2: 10,
  outside: 99,
} as const;

const SIZE: SgxHardwareSize = { pageCount: 16, cpuCount: 4 };

/** Hardware under test, with words for what is often done to it. */
export class Bench {
  /** The hardware. */
  readonly h: SgxHardware;
  /** A blob for EWB to fill. */
  readonly newBlob: () => PagingBlob;

  constructor({ hardware, newBlob }: SgxHardwareSubject) {
    this.h = hardware;
    this.newBlob = newBlob;
  }

  /** Fails unless every result is 0. */
  done(...results: readonly number[]): void {
    for (const result of results) assert.equal(result, 0, `a leaf of the set-up gives ${describe(result)}`);
  }
  /** The first child pages of both enclaves. */
  furnish(): this {
    const { h } = this;
    const add = (page: number, secs: number, secinfo: number) =>
      h.eadd(0, page, secs, BASE + page, secinfo, page);
    this.done(
      h.epa(0, at.va),
      h.epa(0, at.va2),
      h.ecreate(0, at.secs, SOURCE),
      h.ecreate(0, at.secsB, SOURCE),
    );
    this.done(add(at.tcs, at.secs, TCS), add(at.tcs2, at.secs, TCS));
    this.done(add(at.p, at.secs, REG_RW), add(at.q, at.secs, REG_RW), h.einit(0, at.secs, {}));
    this.done(add(at.pB, at.secsB, REG_RW));
    return this;
  }
  /** CPU `cpu` enters enclave A through `tcs`. */
  enter(cpu: number, tcs: number = at.tcs): void {
    this.done(this.h.eenter(cpu, tcs, BASE + tcs));
  }
  /** An initialised enclave gets a page that waits for its acceptance. */
  augment(page: number = at.free): void {
    this.done(this.h.eaug(0, page, at.secs, BASE + page, 0));
  }
  /** Blocks a page of enclave A and begins a tracking cycle. */
  block(page: number): void {
    this.done(this.h.eblock(0, page), this.h.etrack(0, at.secs));
  }
  /** Writes out a page of enclave A that nobody is in. */
  evict(page: number, slot = 0, va: number = at.va): PagingBlob {
    const blob = this.newBlob();
    this.block(page);
    this.done(this.h.ewb(0, page, va, slot, blob));
    return blob;
  }
  /** First 8 bytes of a page, as a debugger sees them. */
  peek(page: number): bigint {
    const word = { value: 0n };
    this.done(this.h.edbgrd(0, page, 0, word));
    return word.value;
  }
  /** All that can be seen, for "nothing has changed". */
  snapshot(): unknown {
    const { h } = this;
    const pages = Array.from({ length: h.pageCount }, (_, page) => {
      const entry = h.entry(page);
      return {
        ...seen(entry),
        slots: h.occupiedSlots(page),
        tracking: isSecs(entry) ? h.tracking(page) : null,
      };
    });
    const inside = Array.from({ length: SIZE.cpuCount }, (_, cpu) => h.insideOf(cpu));
    return { pages, inside, changes: h.changes };
  }
}

function isSecs({ valid, type }: EpcmEntry): boolean {
  return valid && type === PageType.SECS;
}

/** An entry without its contents, whose number may stand for anything. */
export function seen({
  valid,
  type,
  flags,
  blocked,
  secs,
  linearPage,
}: EpcmEntry): Omit<EpcmEntry, 'contents'> {
  return { valid, type, flags, blocked, secs, linearPage };
}

/** A result in words. */
function describe(result: number): string {
  if ((result & FAULT_FLAG) !== 0) return `fault ${result & 0xff}`;
  return `${result} ${sgxCodeNames[result] ?? ''}`;
}

/** Fails with both results in words. */
export function expectResult(actual: number, expected: number, what: string): void {
  assert.equal(actual, expected, `${what}: ${describe(actual)}, not ${describe(expected)}`);
}

/** Makes the hardware of one case, furnished. */
export function furnished(make: (size: SgxHardwareSize) => SgxHardwareSubject): () => Bench {
  return () => new Bench(make(SIZE)).furnish();
}
